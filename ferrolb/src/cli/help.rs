//! The examples and exit codes at the end of the help texts.

pub(super) use super::help_asking::*;

pub(super) const EXAMPLES: &str = "\
Examples:
  ferrolb lab examples/reference           run the reference cluster on this machine
  ferrolb lab examples/reference --once    the same, until the router's table is as planned
  ferrolb run manifests --node kube1       speak for the node kube1 to the real router
  ferrolb status                           show the state of that process, problems first
  ferrolb check config.yaml                check a configuration
  ferrolb decode --mrt updates.gz          decode the messages in a recording

Exit codes:
  0  success, or ended by a signal as intended
  1  the configuration has errors, --once timed out, the input of decode is not one message,
     no node announces the Service of explain, a Service would lose its last node by diff --drain,
     or status, peers, bfd or services --problems show a problem
  2  wrong usage, or a file, a port or the API server cannot be used
  130  --once was interrupted";

pub(super) const LAB: &str = "\
Examples:
  ferrolb lab examples/reference
  ferrolb lab examples/reference --once --output json
  ferrolb lab examples/reference --port 0 --log-level bgp_session=debug

Errors in the files are printed as FILE:LINE:COLUMN: error: PATH: MESSAGE. At the start, they end
the program with exit code 1. Later, the last valid configuration stays in force.";

pub(super) const RUN: &str = "\
Examples:
  ferrolb run manifests --node kube1
  ferrolb run manifests --node kube1 --state-file kube1.json --log-format json

Errors in the files are printed as FILE:LINE:COLUMN: error: PATH: MESSAGE. At the start, they end
the program with exit code 1. Later, the last valid configuration stays in force.";

pub(super) const CHECK: &str = "\
Examples:
  ferrolb check config.yaml
  ferrolb check metallb/ nodes.yaml --strict
  kubectl -n metallb-system get bgppeers,ipaddresspools,bgpadvertisements -o yaml | ferrolb check -

Exit codes:
  0  no problems, or only warnings
  1  errors, or warnings with --strict
  2  wrong usage, or a file cannot be read";

pub(super) const EXPLAIN: &str = "\
Examples:
  ferrolb explain mail/smtp
  ferrolb explain mail/smtp --from examples/reference
  ferrolb explain mail/smtp --from examples/reference --all
  ferrolb explain smtp --from recording.jsonl --node kube1 --output json

The first lines are the summary. Nodes with the same outcome are shown together. If all nodes have the
same outcome, only the gates that failed are shown.

Exit codes:
  0  at least one node announces the Service, or with --node this node does
  1  no node announces it, or the configuration has errors
  2  wrong usage, there is no such Service or node, or a file or the process cannot be read";

pub(super) const DIFF: &str = "\
Examples:
  ferrolb diff manifests.new
  ferrolb diff manifests manifests.new
  ferrolb diff metallb.yaml metallb.new.yaml --from recording.jsonl
  ferrolb diff --drain kube1 --from manifests

Lines of the output:
  + 172.22.35.70/32 -> 172.22.35.1 (kube2)        a route that these nodes would announce
  - 172.22.35.70/32 -> 172.22.35.1 (kube1)        a route that they would withdraw
  Service mail/smtp: 172.22.35.70 -> 172.22.35.64
  session kube1 with 172.22.35.1: resets because of peerASN
  Service mail/smtp: no node is left              with --drain, as the next two lines
  Service web/web: kube1, kube3 remain
  Services that lose their last node: mail/smtp

A drain concerns only the routes of the node. Its pods stay where they are.

Exit codes:
  0  compared, whatever the differences; with --drain, each Service keeps a node
  1  the configuration has errors; or with --drain, a Service would lose its last node
  2  wrong usage, there is no such node, or a file or the process cannot be read";

pub(super) const REPLAY: &str = "\
Examples:
  ferrolb replay recording.jsonl
  kubectl get service web -o json | jq -c '{apply: .}' | cat base.jsonl - | ferrolb replay

Lines of the recording, with objects as kubectl get -o json prints them:
  {\"apply\": {\"apiVersion\": \"v1\", \"kind\": \"Service\", ..}}    a new or changed object
  {\"delete\": {\"kind\": \"Service\", \"namespace\": \"default\", \"name\": \"smtp\"}}
  {\"session\": {\"node\": \"kube1\", \"peer\": \"172.22.35.1:179\", \"up\": false}}
  {\"probe\": {\"node\": \"kube1\", \"namespace\": \"default\", \"name\": \"smtp\", \"found\": \"down\"}}
  {\"sync\": true}       the initial lists are complete; a recording without this line is complete from the start
  {\"restart\": true}    the process restarts";

pub(super) const DECODE: &str = "\
Examples:
  ferrolb decode ffffffffffffffffffffffffffffffff001304
  ferrolb decode --peer ibgp --add-path 1/1 - < message.hex
  ferrolb decode --raw received.bin --two-octet-as
  ferrolb decode --mrt updates.20190101.0000.gz | less
  ferrolb decode --pcap session.pcap
  ferrolb decode --pcap lab.pcap.gz --port 1790 --jsonl
  ferrolb decode --jsonl < messages.jsonl

With --jsonl, a line such as
  {\"id\": 1, \"hex\": \"ff..\", \"ctx\": {\"asn4\": true, \"peer\": \"ibgp\", \"families\": [\"1/1\"]}}
is answered by
  {\"id\": 1, \"outcome\": \"ok\", \"notification\": null, \"decoded\": {\"type\": \"keepalive\"}}
where `outcome` is ok, attribute-discard, treat-as-withdraw, afi-safi-disable, session-reset or
open-error. The options supply each key that is missing in ctx.

A capture may begin within a session, and its packets may be out of order, repeated, or lost. A gap is
reported with its size, and decoding continues at the next message. The OPENs of both ends decide how
the rest of a session is read. If they are missing, the options of the session do.

Exit codes:
  0  decoded, whatever the verdict; with --jsonl, every line has its answer
  1  HEX is truncated, or more than one message; the available part is printed
  2  wrong usage, HEX is not hexadecimal, or reading or writing failed
If a file ends within a message, a record or a packet, decode prints everything before it and a warning.";

#[cfg(feature = "manual")]
pub(super) const COMPLETIONS: &str = "\
Examples:
  ferrolb completions bash
  ferrolb completions zsh
  ferrolb completions fish

For the running shell:
  source <(ferrolb completions bash)
  source <(ferrolb completions zsh)
  ferrolb completions fish | source

For all shells to come:
  ferrolb completions bash > /usr/local/share/bash-completion/completions/ferrolb
  ferrolb completions zsh > /usr/local/share/zsh/site-functions/_ferrolb
  ferrolb completions fish > /etc/fish/completions/ferrolb.fish";

#[cfg(feature = "manual")]
pub(super) const MAN: &str = "\
Examples:
  ferrolb man /usr/local/share/man/man1

After that, `man ferrolb` shows the page of the program, and `man ferrolb-run` that of a command.";
