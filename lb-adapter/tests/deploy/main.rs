//! What is under `deploy/`, as far as it can be judged without a cluster, kustomize or Helm.

mod arguments;
mod chart;
mod documents;
mod kustomize;
mod manifests;
mod pods;
mod resources;
