//! The commands of docs/migrating-from-metallb.md, and the installations that each block of them is for.

const PAGE: &str = include_str!("../../../../docs/migrating-from-metallb.md");

/// The way in which MetalLB was installed and configured.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mode {
    /// True if FRR-K8s runs the sessions.
    pub(crate) frr_k8s: bool,
    /// True for a release of the Helm chart, false for the manifests.
    pub(crate) helm: bool,
    /// True for a version up to 0.12, which reads a ConfigMap.
    pub(crate) config_map: bool,
}

impl Mode {
    /// The name that a workload of MetalLB's manifests has in this installation, by the page's table.
    pub(crate) fn name(self, of_manifests: &str) -> String {
        if !self.helm {
            return of_manifests.to_owned();
        }
        let row = renamed().into_iter().find(|(manifests, _)| *manifests == of_manifests);
        row.unwrap_or_else(|| panic!("{of_manifests} is not in the table")).1.to_owned()
    }
}

/// The workloads: the name in the manifests, and the name in a Helm release.
fn renamed() -> Vec<(&'static str, &'static str)> {
    let rows = PAGE.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('`').step_by(2);
        Some((cells.next()?, cells.next()?))
    });
    let rows: Vec<_> = rows.filter(|(_, helm)| helm.contains("/metallb-")).collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    rows
}

/// A block of commands.
#[derive(Debug)]
pub(crate) struct Block {
    /// The heading of its section.
    section: &'static str,
    /// The installations named in the first line, in lower case.
    conditions: Vec<String>,
    lines: Vec<&'static str>,
}

impl Block {
    /// Returns true if the block is for this installation.
    fn is_for(&self, mode: Mode) -> bool {
        self.conditions.iter().all(|condition| match condition.as_str() {
            "frr-k8s mode" => mode.frr_k8s,
            "helm" => mode.helm,
            "manifests" => !mode.helm,
            "configmap" => mode.config_map,
            "resources" => !mode.config_map,
            "for each node" => true,
            other => panic!("{}: the condition of a block is unknown: {other}", self.section),
        })
    }

    pub(crate) fn is_for_each_node(&self) -> bool {
        self.conditions.iter().any(|condition| condition == "for each node")
    }

    /// The commands for this installation, and for this node if the block is for each node.
    pub(crate) fn commands(&self, mode: Mode, node: &str) -> Vec<String> {
        let command = |line: &&str| {
            let mut line = line.replace("kube1", node);
            if mode.helm {
                for (manifests, helm) in renamed() {
                    line = line.replace(manifests, helm);
                }
            }
            if mode.helm && mode.config_map {
                line = line.replace("ferrolb check ", "ferrolb check --config metallb ");
            }
            line
        };
        self.lines.iter().map(command).collect()
    }
}

/// The blocks of the section with this heading that are for this installation.
pub(crate) fn blocks(heading: &str, mode: Mode) -> Vec<Block> {
    let blocks: Vec<_> = all().into_iter().filter(|it| it.section.starts_with(heading)).collect();
    assert!(!blocks.is_empty(), "no commands under {heading:?}");
    blocks.into_iter().filter(|block| block.is_for(mode)).collect()
}

fn all() -> Vec<Block> {
    let mut blocks = Vec::new();
    for section in PAGE.split("\n## ").skip(1) {
        let heading = section.lines().next().unwrap();
        for block in section.split("```sh\n").skip(1) {
            let (text, _) = block.split_once("```").expect("a block that ends");
            let mut lines: Vec<_> = text.lines().collect();
            let mut conditions = Vec::new();
            if let Some(said) = lines[0].strip_prefix("# ") {
                let said = said.split(':').next().unwrap().to_lowercase();
                conditions.extend(said.split(", ").map(str::to_owned));
                lines.remove(0);
            }
            blocks.push(Block { section: heading, conditions, lines });
        }
    }
    blocks
}

/// The patches of the page's overlay for the name of a ConfigMap: kind, name, operations.
pub(crate) fn patches() -> Vec<(String, String, serde_json::Value)> {
    let (_, text) = PAGE.split_once("```yaml\npatches:\n").expect("the overlay's patches");
    let (text, _) = text.split_once("```").unwrap();
    let text: serde_json::Value = serde_saphyr::from_str(&format!("patches:\n{text}")).unwrap();
    let patch = |patch: &serde_json::Value| {
        let word = |pointer: &str| patch.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let operations = serde_json::from_str(&word("/patch")).unwrap();
        (word("/target/kind"), word("/target/name"), operations)
    };
    text["patches"].as_array().unwrap().iter().map(patch).collect()
}

/// The overlay of the page names a folder that exists.
#[test]
fn the_overlay_of_the_page_names_an_existing_folder() {
    let (_, text) = PAGE.split_once("```yaml\napiVersion: kustomize").expect("an overlay");
    let (text, _) = text.split_once("```").unwrap();
    let text = format!("apiVersion: kustomize{text}");
    let overlay: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    let resource = overlay["resources"][0].as_str().unwrap();
    let (_, path) = resource.split_once("ferrolb/").unwrap();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    assert!(folder.join("kustomization.yaml").exists(), "{resource}");
    assert_eq!(overlay["namespace"], "metallb-system");
    assert_eq!(overlay["images"][0]["name"], "ferrolb/ferrolb");
}
