"""One small manifest per kind that the API server stores and does not act on."""

from typing import Any

import yaml

_TEXT = """
kind: LimitRange
spec: {limits: [{type: Container, max: {cpu: "1"}}]}
---
kind: PersistentVolume
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce, ReadOnlyMany], hostPath: {path: /x}}
---
kind: PersistentVolumeClaim
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
kind: PodTemplate
template: {metadata: {labels: {app: a}}, spec: {containers: [{name: main, image: "lab/echo:1"}]}}
---
kind: ReplicationController
spec: {template: {metadata: {labels: {app: a}}, spec: {containers: [{name: main, image: "lab/echo:1"}]}}}
---
kind: ResourceQuota
spec: {hard: {pods: 10, limits.cpu: "2"}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  validations: [{expression: "true"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
spec: {policyName: x, validationActions: [Deny], paramRef: {name: p, parameterNotFoundAction: Deny}}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: v1.x.example.com}
spec:
  group: x.example.com
  version: v1
  groupPriorityMinimum: 100
  versionPriority: 100
  service: {name: s, namespace: n}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 3}
---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 3
  targetCPUUtilizationPercentage: 60
---
apiVersion: batch/v1
kind: CronJob
spec:
  schedule: "*/5 * * * *"
  jobTemplate:
    spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: "lab/echo:1"}]}}}
---
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
spec: {request: eA==, signerName: example.com/x, usages: [client auth], expirationSeconds: 3600}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
spec: {priorityLevelConfiguration: {name: x}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
spec: {type: Limited, limited: {nominalConcurrencyShares: 5, limitResponse: {type: Reject}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
spec:
  ingressClassName: nginx
  rules:
    - host: a.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
spec: {controller: example.com/x, parameters: {apiGroup: example.com, kind: Settings, name: s}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
spec: {podSelector: {matchLabels: {app: a}}, egress: [{ports: [{port: 53}]}]}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
handler: runc
---
apiVersion: policy/v1
kind: PodDisruptionBudget
spec: {minAvailable: 50%, selector: {matchLabels: {app: a}}}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
value: 1000
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: example.com/x
"""


def manifests() -> dict[str, dict[str, Any]]:
    """`apiVersion/Kind` -> a manifest whose name is `a`, unless the kind prescribes one."""
    found = {}
    for one in yaml.safe_load_all(_TEXT):
        manifest = {"apiVersion": "v1", **one, "metadata": {"name": "a", **one.get("metadata", {})}}
        found[f"{manifest['apiVersion']}/{manifest['kind']}"] = manifest
    return found
