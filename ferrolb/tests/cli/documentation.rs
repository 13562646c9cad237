//! The commands in README, docs and `--help`. Each of them parses, and those that need neither a cluster nor a
//! router are run. All commands of README are run, and those of the first chapter up to its router;
//! `interop_getting_started` runs that one.

use std::fs;
use std::path::{Path, PathBuf};

use bgp_session::{DownReason, ErrorCode, Notification, TransportError};
use bytes::Bytes;
use clap::{CommandFactory as _, Parser as _};
use ferrolb::cli::Cli;
use serde_json::{Value, json};

use crate::pages::{Shell, steps};
use crate::run::{Router, manifests_for};
use crate::world::{Process, ferrolb, lab, reference, text, wait_until};

const FIRST_CHAPTER: &str = "docs/getting-started.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The pages of the repository, by name.
fn pages() -> Vec<(String, String)> {
    let mut names = vec!["README.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    let mut directories = vec!["docs".to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{directory}/{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                directories.push(name);
            } else if name.ends_with(".md") {
                names.push(name);
            }
        }
    }
    names.sort();
    let page = |name: String| {
        let text = fs::read_to_string(root().join(&name)).unwrap();
        (name, text)
    };
    names.into_iter().map(page).collect()
}

/// The command lines in the blocks of a page that start with this word, without the remarks beside them.
fn commands(page: &str, word: &str) -> Vec<Vec<String>> {
    let mut fenced = false;
    let mut commands = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = match line.strip_prefix("    ") {
            Some(line) => line,
            None if fenced => line.trim_start_matches("$ "),
            None => continue,
        };
        // A column of remarks starts after two blanks.
        let line = line.split("  ").next().unwrap();
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        if words.first().is_some_and(|first| first == word) {
            // The rest is for the shell.
            let ours =
                words.into_iter().take_while(|it| ![">", "2>", "|", "&"].contains(&it.as_str()));
            commands.push(ours.collect());
        }
    }
    commands
}

fn assert_parses(place: &str, words: &[String]) {
    if let Err(error) = Cli::try_parse_from(words) {
        panic!("{place}: {}\n{error}", words.join(" "));
    }
}

#[test]
fn every_ferrolb_command_in_the_pages_parses() {
    let mut checked = 0;
    for (name, page) in pages() {
        for words in commands(&page, "ferrolb") {
            assert_parses(&name, &words);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

/// In a sentence, `ferrolb check FILE` may lack arguments, but its words exist.
#[test]
fn every_command_and_option_named_in_a_sentence_exists() {
    let cli = Cli::command();
    let mut checked = 0;
    for (name, page) in pages() {
        let outside: String = page.split("\n```").step_by(2).collect();
        let code = outside.split('`').skip(1).step_by(2);
        for words in code.filter_map(|code| code.strip_prefix("ferrolb ")) {
            let mut command = &cli;
            let mut options: Vec<_> = cli.get_arguments().filter_map(|it| it.get_long()).collect();
            options.extend(["help", "version"]);
            for word in words.split_whitespace() {
                let is_word = word.chars().all(|it| it.is_ascii_lowercase() || it == '-');
                if let Some(option) = word.strip_prefix("--") {
                    let option = option.split('=').next().unwrap();
                    assert!(options.contains(&option), "{name}: ferrolb {words}");
                } else if let Some(next) = command.find_subcommand(word) {
                    command = next;
                    options.extend(next.get_arguments().filter_map(|it| it.get_long()));
                } else {
                    let is_argument = !is_word || command.get_name() != "ferrolb";
                    assert!(is_argument, "{name}: ferrolb {words}");
                }
            }
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn every_example_in_a_help_text_parses() {
    let mut checked = 0;
    let mut cli = Cli::command();
    let names: Vec<_> = cli.get_subcommands().map(|it| it.get_name().to_owned()).collect();
    for name in names {
        let help = cli.find_subcommand_mut(&name).unwrap().render_long_help().to_string();
        let Some((_, examples)) = help.split_once("Examples:\n") else { continue };
        for line in examples.lines().take_while(|line| line.starts_with("  ")) {
            let line = line.trim_start().split("  ").next().unwrap();
            // Other programs may be before ours in a pipe, or after it.
            let ours = line.split(" | ").find(|it| it.starts_with("ferrolb "));
            let ours = ours.unwrap_or_else(|| panic!("{name}: {line}"));
            // The file after `<` is opened by the shell: it is not an argument.
            let ours = ours.split(" < ").next().unwrap();
            let words: Vec<_> = ours.split_whitespace().map(str::to_owned).collect();
            assert_parses(&name, &words);
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked}");
}

/// A folder with the files that the pages name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["DIR", "OLD", "NEW", "manifests", "manifests.new", "examples/reference"] {
        let directory = folder.path().join(name);
        fs::create_dir_all(&directory).unwrap();
        for entry in fs::read_dir(reference()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), directory.join(entry.file_name())).unwrap();
        }
    }

    let config = reference().join("config.yaml");
    let configurations =
        ["config.yaml", "configuration.yaml", "FILE..", "old.yaml", "new.yaml", "metallb.new.yaml"];
    for name in configurations {
        fs::copy(&config, folder.path().join(name)).unwrap();
    }

    let mut recording = String::new();
    for name in ["nodes.yaml", "config.yaml", "endpoints.yaml", "services.yaml"] {
        let text = fs::read_to_string(reference().join(name)).unwrap();
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for object in objects.iter().filter(|object| object.is_object()) {
            recording.push_str(&format!("{}\n", json!({"apply": object})));
        }
    }
    fs::write(folder.path().join("recording.jsonl"), recording).unwrap();

    let keepalive = [&[0xff; 16][..], &[0, 19, 4]].concat();
    fs::write(folder.path().join("received.bin"), &keepalive).unwrap();
    // A record of BGP4MP with the message, and a raw IP packet with it.
    let session = [0, 0, 0xfc, 0x7b, 0, 0, 0xfc, 0x7c, 0, 0, 0, 1, 10, 0, 0, 1, 10, 0, 0, 2];
    let record = [&[0x60, 0, 0, 0, 0, 16, 0, 4, 0, 0, 0, 39][..], &session, &keepalive].concat();
    fs::write(folder.path().join("updates.mrt"), record).unwrap();
    fs::write(folder.path().join("session.pcap"), capture(&keepalive)).unwrap();
    folder
}

/// A capture of one segment that a router sends.
pub(crate) fn capture(octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(40 + octets.len()).unwrap().to_be_bytes();
    let ip = [0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let tcp = [0, 179, 0x9c, 0x40, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0];
    let packet = [&ip[..], &tcp, octets].concat();

    let size = u32::try_from(packet.len()).unwrap();
    let numbers = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 0xffff, 101, 1_600_000_000, 5, size, size];
    let header = numbers.iter().flat_map(|number: &u32| number.to_le_bytes());
    header.chain(packet).collect()
}

/// Returns true if a command exits by itself, and needs neither a cluster nor a process.
fn stands_alone(words: &[String]) -> bool {
    let has = |word: &str| words.iter().any(|it| it == word);
    let asks = has("--cluster") || has("--kubeconfig") || has("--url");
    // A small build reads no captures.
    if has("--pcap") && cfg!(not(feature = "captures")) {
        return false;
    }
    match words[1].as_str() {
        "run" | "controller" | "speaker" => false,
        // They ask a process or change it.
        "status" | "peers" | "routes" | "services" | "pools" | "bfd" | "events" => false,
        "top" | "peer" | "refresh" | "log-level" | "drain" | "undrain" | "support-bundle" => false,
        "lab" => has("--once"),
        "explain" | "router-config" => has("--from") && !asks,
        "diff" => (has("--from") || (words.len() == 4 && !has("--drain"))) && !asks,
        _ => !asks,
    }
}

#[test]
fn self_contained_commands_run_as_printed() {
    let folder = folder();
    let mut ran = Vec::new();
    for (name, page) in pages() {
        // Its commands need those before them.
        if name == FIRST_CHAPTER {
            continue;
        }
        for words in commands(&page, "ferrolb").into_iter().filter(|words| stands_alone(words)) {
            let mut arguments: Vec<_> = words[1..].iter().map(String::as_str).collect();
            if arguments[0] == "lab" {
                arguments.extend(["--port", "0"]);
            }
            let output = ferrolb(&arguments).current_dir(folder.path()).output().unwrap();
            let all_output = text(&output.stdout) + &text(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{name}: {}\n{all_output}", words.join(" "));
            assert!(!output.stdout.is_empty(), "{name}: {}", words.join(" "));
            ran.push(words[1].clone());
        }
    }
    for command in
        ["check", "explain", "diff", "migrate", "router-config", "replay", "decode", "lab"]
    {
        assert!(ran.iter().any(|it| it == command), "{command} is not among {ran:?}");
    }
}

/// `make lab`, `docker` and `kubectl` are the only commands of README that other tests run: `lab` is the command of its table
/// below, and the tests of the installation apply the manifests. What is new here needs a test that runs it.
#[test]
fn every_command_of_the_readme_is_known_and_run_is_run() {
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    let outside = page.split("```").step_by(2);
    for line in outside.flat_map(str::lines).filter_map(|line| line.strip_prefix("    ")) {
        let program = line.split_whitespace().next().unwrap();
        assert!(["ferrolb", "make", "docker", "sed"].contains(&program), "{line}");
    }

    let run: Vec<_> = commands(&page, "ferrolb").into_iter().filter(|it| it[1] == "run").collect();
    let [words] = &run[..] else { panic!("{run:?}") };
    let router = Router::start();
    let manifests = manifests_for(&router);
    let here = |word: &String| match word.as_str() {
        "/etc/ferrolb" => manifests.path().to_str().unwrap().to_owned(),
        "/var/lib/ferrolb/state.json" => {
            manifests.beside("state.json").to_str().unwrap().to_owned()
        }
        other => other.to_owned(),
    };
    let words: Vec<_> = words[1..].iter().map(here).collect();
    let mut process =
        Process::start(ferrolb(&words.iter().map(String::as_str).collect::<Vec<_>>()));
    wait_until("the table", || router.has_all());
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
    assert!(manifests.beside("state.json").exists());
}

#[test]
fn the_first_chapter_runs_as_printed_up_to_its_router() {
    let page = fs::read_to_string(root().join(FIRST_CHAPTER)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Shell::start(env!("CARGO_BIN_EXE_ferrolb"), folder.path(), false);
    let steps = steps(&page);
    let without_router = steps.iter().take_while(|step| step.section != "Start a router");
    let mut ran = 0;
    for step in without_router {
        shell.take(step);
        ran += 1;
    }
    assert!((5..steps.len()).contains(&ran), "{ran}");
}

#[test]
fn the_table_in_the_readme_is_the_output_of_the_lab() {
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, block) = page.split_once("$ ferrolb lab examples/reference --once\n").unwrap();
    let (expected, _) = block.split_once("```").unwrap();
    let output = lab(&reference(), &["--once"]);
    // The lab listens on a free port instead of the page's, and its output shows that.
    let lines = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("listens on"));
        lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lines(&text(&output.stdout)), lines(expected), "{}", text(&output.stderr));
}

/// Newcomers apply the examples first.
#[test]
fn every_example_passes_check() {
    let mut folders = 0;
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let output = ferrolb(&["check", path.to_str().unwrap()]).output().unwrap();
        let stdout = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{}: {stdout}", path.display());
        assert!(!stdout.contains("error"), "{stdout}");
        folders += 1;
    }
    assert!(folders >= 3, "{folders}");
    // docs/kubernetes.md applies this one to another namespace.
    let resources = root().join("examples/resources/config.yaml");
    let arguments = ["check", "--namespace", "ferrolb-system", resources.to_str().unwrap()];
    let output = ferrolb(&arguments).output().unwrap();
    assert!(text(&output.stdout).contains("4 peers, 2 pools"), "{}", text(&output.stdout));
}

/// The files named in commands of other programs, and the targets of `make`. `testing/book` checks links.
#[test]
fn files_and_targets_named_in_the_pages_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let (mut files, mut targets) = (0, 0);
    for (name, page) in pages() {
        for program in ["kubectl", "sed", "helm", "docker"] {
            for word in commands(&page, program).iter().flatten() {
                if ["deploy/", "examples/"].iter().any(|folder| word.starts_with(folder)) {
                    assert!(root().join(word).exists(), "{name}: {word}");
                    files += 1;
                }
            }
        }

        for words in commands(&page, "make").iter().filter(|words| words.len() > 1) {
            let target = format!("\n{}:", words[1]);
            assert!(makefile.contains(&target), "{name}: make {}", words[1]);
            targets += 1;
        }
    }
    assert!(files >= 5 && targets >= 1, "{files} {targets}");
}

/// Operators search the page for what they read in the log.
#[test]
fn the_page_of_troubles_has_the_words_of_each_reason() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let transport = [
        TransportError::Refused,
        TransportError::TimedOut,
        TransportError::TimedOutSigned,
        TransportError::Unreachable,
        TransportError::ClosedByPeer,
        TransportError::ClosedBeforeOpen,
        TransportError::Reset,
        TransportError::Replaced,
    ];
    let silence = [ErrorCode::HOLD_TIMER_EXPIRED, ErrorCode::SEND_HOLD_TIMER_EXPIRED];
    let silence = silence.map(|code| DownReason::Local(Notification::new(code, 0, Bytes::new())));
    for reason in transport.map(DownReason::Transport).into_iter().chain(silence) {
        assert!(page.contains(&format!("\n| `{reason}` |")), "{reason}");
    }
    for words in ["bad peer AS", "unacceptable hold time", "maximum number of prefixes reached"] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn the_page_of_troubles_has_each_alert() {
    let alerts = root().join("deploy/kustomize/components/monitoring/alerts.yaml");
    let alerts = fs::read_to_string(alerts).unwrap();
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let names: Vec<_> =
        alerts.split("- alert: ").skip(1).flat_map(|it| it.lines().next()).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_pages_about_routers_and_standards_are_complete() {
    let routers = fs::read_to_string(root().join("docs/routers.md")).unwrap();
    let cli = Cli::command();
    let command = cli.find_subcommand("router-config").unwrap();
    let system = command.get_arguments().find(|it| it.get_long() == Some("for")).unwrap();
    let systems = system.get_possible_values();
    assert!(systems.len() >= 6, "{systems:?}");
    for system in systems {
        let option = format!("--for {}", system.get_name());
        assert!(routers.contains(&option), "{option}");
    }

    // What README promises has a row.
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let standards = fs::read_to_string(root().join("docs/rfcs.md")).unwrap();
    let rows: Vec<_> = standards.lines().filter_map(|it| it.split('|').nth(1)).collect();
    let numbers = readme.split("RFC ").skip(1).flat_map(|it| it.split([')', ';']).next());
    let numbers = numbers.flat_map(|it| it.split(", ")).filter(|it| it.parse::<u16>().is_ok());
    let mut checked = 0;
    for number in numbers {
        assert!(rows.iter().any(|row| row.contains(number)), "RFC {number} has no row");
        checked += 1;
    }
    assert!(checked > 15, "{checked}");
}
