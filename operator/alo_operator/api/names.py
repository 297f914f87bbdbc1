"""Every name that other software can see: group, kinds, labels, annotations, finalizer, field managers."""

from typing import Final

GROUP: Final = "alo-operator.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

OPERATION_KIND: Final = "AsyncOperation"
OPERATION_LIST_KIND: Final = "AsyncOperationList"
OPERATION_PLURAL: Final = "asyncoperations"
OPERATION_SINGULAR: Final = "asyncoperation"
OPERATION_SHORT: Final = "aop"

TEMPLATE_KIND: Final = "OperationTemplate"
TEMPLATE_LIST_KIND: Final = "OperationTemplateList"
TEMPLATE_PLURAL: Final = "operationtemplates"
TEMPLATE_SINGULAR: Final = "operationtemplate"
TEMPLATE_SHORT: Final = "aot"

CATEGORY: Final = "alo"

# On the Jobs, pods and ConfigMaps we make. The uid tells two operations of one name apart, one after the other.
LABEL_MANAGED: Final = f"{GROUP}/managed"
MANAGED_VALUE: Final = "true"
LABEL_OPERATION: Final = f"{GROUP}/operation"
LABEL_OPERATION_UID: Final = f"{GROUP}/operation-uid"
# On Secrets that hold callback signing keys: the operator reads no other Secret.
LABEL_SIGNING_KEY: Final = f"{GROUP}/signing-key"

# On an operation that has ended: which callbacks are to be told again.
REDELIVER_ANNOTATION: Final = f"{GROUP}/redeliver"

# On a namespace; read by the admission policy in manifests/policies/inline-jobs.yaml, not by the operator.
LABEL_TENANCY: Final = f"{GROUP}/tenancy"
TENANCY_TEMPLATES_ONLY: Final = "templates-only"

# On the pod; the downward API turns it into the input file.
INPUT_ANNOTATION: Final = f"{GROUP}/input"

# On the Job of a templated operation: what it took up from its template, which a later edit must not change.
TEMPLATE_ANNOTATION: Final = f"{GROUP}/template"
RESULT_SCHEMA_ANNOTATION: Final = f"{GROUP}/result-schema"

# Of the tokens workers show when they report: a token for anybody else is none for us.
REPORT_AUDIENCE: Final = GROUP

FINALIZER: Final = f"{GROUP}/cancel-work"

# None starts with "kubectl": Flux takes over fields of managers named so.
FIELD_MANAGER_OPERATOR: Final = "alo-operator"
FIELD_MANAGER_GATEWAY: Final = "alo-gateway"
FIELD_MANAGER_CLI: Final = "alo-cli"
