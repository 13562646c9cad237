//! A dual-stack Service, `default/web`, with an endpoint on the node kube1.

/// The Service and its EndpointSlice, as YAML.
pub(crate) const WEB: &str = "apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  ipFamilies: [IPv4, IPv6]
  clusterIPs: [10.0.0.7, \"fd00::7\"]
  ports: [{port: 80}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.244.1.7], nodeName: kube1, conditions: {ready: true}}]
";
