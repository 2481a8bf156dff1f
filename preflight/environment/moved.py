"""What to say for keys that people write in a table where they are not, and for required keys that are missing."""

from typing import Final

# "TABLE.KEY" -> what is right; "TABLE.KEY?" -> what to write when it is missing.
MOVED: Final[dict[str, str]] = {
    "environment.registry": 'the key is registry.name: write [registry] and name = "acrprod"',
    "environment.acr": 'the key is registry.name: write [registry] and name = "acrprod"',
    "environment.fqdn": "the key is api_server.fqdn, in the table [api_server]",
    "environment.cluster_fqdn": "the key is api_server.fqdn, in the table [api_server]",
    "environment.storage": 'storage accounts are tables of their own: write [[storage]] and account = "stmlprod"',
    "environment.workspace": "the workspace is a table of its own: [workspace] with name, id and region",
    "environment.endpoint": "the endpoint is a table of its own: [endpoint] with domain",
    "environment.proxy": "the proxy is a table of its own: [proxy] with https, http and no_proxy",
    "environment.token_auth": "did you mean token_authentication?",
    "environment.location": "did you mean region?",
    "environment.issuers": 'it stands above all tables: issuers = ["Contoso Lab CA"]',
    "api_server.ca": "did you mean ca_file?",
    "api_server.private": 'write access = "private"',
    "registry.login_server": 'write name = "acrprod.azurecr.io"',
    "registry.acr": "did you mean name?",
    "storage.name": "did you mean account?",
    "dependency.severity?": "allowed: required, recommended",
    "dependency.expected": "did you mean expect?",
    "dependency.statuses": "did you mean expect?",
    "dependency.name?": 'give a name of lower-case letters, digits and hyphens: name = "scores"',
    "dependency.url?": 'give the URL: url = "https://scores.contoso.com/health"',
    "storage.account?": 'give the account\'s name: account = "stmlprod"',
    "proxy.password": 'write credentials.proxy = { env = "PROXY_LOGIN" } with "user:password" in that variable',
    "proxy.user": 'write credentials.proxy = { env = "PROXY_LOGIN" } with "user:password" in that variable',
    "dependencies": "did you mean [[dependency]]?",
    "pools": "did you mean [[pool]]?",
    "cloud": "the key is environment.cloud, in the table [environment]",
    "region": "the key is environment.region, in the table [environment]",
    "ca_file": "the key is environment.ca_file, in the table [environment]",
}
