//! The examples and exit codes of the commands that ask or change a running process.

pub(crate) const STATUS: &str = "\
Examples:
  ferrolb status
  ferrolb status --watch
  ferrolb status --url http://127.0.0.1:7472 --output json
  ferrolb status --cluster
  ferrolb status --cluster --node kube1

The process is the only one on this machine, or the one that --socket or --url names. Without
-o wide, only as many problems are shown as fit on a screen of 24 lines.

With --cluster, all nodes are shown as their speakers report them, and the Services without an address.
Under the name kubectl-ferrolb, this program is a plugin of kubectl: `kubectl ferrolb status`.

Exit codes:
  0  no problem keeps traffic away
  1  a problem of severity ERROR keeps traffic away, or the process or a node is not ready
  2  wrong usage, or the process does not answer";

pub(crate) const PEERS: &str = "\
Examples:
  ferrolb peers
  ferrolb peers -o wide --watch=5
  ferrolb peers tor1
  ferrolb peers tor1 --node kube1 --output json

Columns:
  UP/DOWN  how long the peer has been in this state; for an Established session, its uptime
  SENT     prefixes that the peer has / prefixes that the plan announces
  RCVD     routes received from the peer that are kept
  FLAPS    how often an Established session has ended
  BFD      state of the BFD session; - without BFD

With --output json, NAME prints one line for each node that has the peer. A controller has no peers:
it shows what the nodes report about theirs.

Exit codes:
  0  all sessions shown are Established
  1  a session is not Established
  2  wrong usage, there is no such peer, or the process does not answer";

pub(crate) const EVENTS: &str = "\
Examples:
  ferrolb events
  ferrolb events --follow --node kube1
  ferrolb events --since 120 --output json

Times are in UTC. A process keeps a limited number of events. With --follow, a lost connection is
opened again, and events that were kept are shown then.";

#[cfg(feature = "top")]
pub(crate) const TOP: &str = "\
Examples:
  ferrolb top
  ferrolb top --interval 500ms --url http://127.0.0.1:7472

Keys:
  1-6, Tab, Shift-Tab  choose a list
  j k, arrows          move; PageUp, PageDown, g and G too
  Enter                explain a Service gate by gate, or show a peer; Esc goes back
  r                    the routes of a peer
  /                    filter; Esc clears it
  p                    only what has a problem
  q, Ctrl-C            quit

Routes and Services beyond the first 2,000 are not shown: see ferrolb routes and ferrolb services.";

pub(crate) const PEER: &str = "\
Examples:
  ferrolb peer reset tor1
  ferrolb peer disable tor1 --message firmware-upgrade
  ferrolb peer enable tor1

The process takes actions only over its Unix socket, on its own host.

Exit codes:
  0  done
  2  wrong usage, there is no such peer, or the process does not take the action";

pub(crate) const ROUTES: &str = "\
Examples:
  ferrolb routes
  ferrolb routes --peer tor1 --prefix 172.22.35.70
  ferrolb routes --service mail/smtp -o wide
  ferrolb routes --output json --node kube1

States:
  sent         the peer has the route; AGE says since when
  pending      it waits to be announced, or to replace the one that the peer has
  withdrawing  the peer has it, and waits to be told that it is gone
  other path   the session carries another path to the prefix
  unsendable   the session cannot carry it, for the reason below it
  no session   no session is up

With --output json, each line is a route with its node and peer.";

pub(crate) const SERVICES: &str = "\
Examples:
  ferrolb services
  ferrolb services --problems
  ferrolb services --output json

NODES is the number of nodes of this process that announce the Service / the number of its nodes.
`ferrolb explain` shows all gates between a Service and the routers. With --output json, each line is
a Service.

Exit codes:
  0  shown; with --problems, there are none
  1  with --problems, there is one
  2  wrong usage, or the process does not answer";

pub(crate) const POOLS: &str = "\
Examples:
  ferrolb pools
  ferrolb pools default
  ferrolb pools --watch --output wide

AUTO is yes for pools from which Services get an address without asking for the pool. With
--output json, NAME prints one line for each page of addresses.";

pub(crate) const BFD: &str = "\
Examples:
  ferrolb bfd
  ferrolb bfd --output wide

Exit codes:
  0  all sessions are Up
  1  a session is not Up
  2  wrong usage, or the process does not answer";

pub(crate) const REFRESH: &str = "\
Examples:
  ferrolb refresh
  ferrolb refresh tor1
  ferrolb refresh tor1 --in

The process takes actions only over its Unix socket, on its own host.";

pub(crate) const LOG_LEVEL: &str = "\
Examples:
  ferrolb log-level
  ferrolb log-level info,bgp_session=debug
  ferrolb log-level --reset

The process takes actions only over its Unix socket, on its own host. A change lasts until the process
ends.";

pub(crate) const DRAIN: &str = "\
Examples:
  ferrolb drain --wait
  ferrolb drain --wait --timeout 10m --message maintenance

The process takes actions only over its Unix socket, on its own host. `ferrolb diff --drain NODE`
shows beforehand what moves.

Exit codes:
  0  the drain has begun; with --wait, the node is drained
  2  wrong usage, the process does not take the action, or the time is over";

pub(crate) const UNDRAIN: &str = "\
Examples:
  ferrolb undrain";

#[cfg(feature = "bundle")]
pub(crate) const SUPPORT_BUNDLE: &str = "\
Examples:
  ferrolb support-bundle
  ferrolb support-bundle --socket /run/ferrolb/kube1.sock --output kube1.tar.gz

README.txt in the archive lists its files. The log's last lines are among them if the process is asked
over its socket; README.txt says how to add older ones. Passwords, data of Secrets and
annotations of other programs are removed; addresses and names are not. In a pod, whose file system
is read-only, `--output -` writes to stdout:
kubectl -n ferrolb-system exec POD -- /ferrolb support-bundle --output - > kube1.tar.gz

Exit codes:
  0  written; errors.txt in the archive names the answers that are missing
  2  wrong usage, or the file exists or cannot be written";
