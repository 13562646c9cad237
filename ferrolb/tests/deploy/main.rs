//! What is under `deploy/`, as far as it can be judged without a cluster; kustomize and Helm have their say where they are installed.

mod arguments;
mod chart;
mod documents;
mod helm;
mod kustomize;
mod manifests;
mod pods;
mod resources;
