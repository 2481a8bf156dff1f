"""preflight: can this AKS cluster run Azure Machine Learning inferencing behind this network?"""

__version__ = "0.1.0"
