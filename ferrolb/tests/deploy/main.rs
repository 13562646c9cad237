//! The files under `deploy/`, checked without a cluster, and with kustomize and Helm if they are installed.

mod arguments;
mod chart;
mod documents;
mod helm;
mod https;
mod krew;
mod kustomize;
mod manifests;
mod monitoring;
mod network_policies;
mod pod_security;
mod pods;
mod resources;
