//! Which figures of a scenario stand in its tables and plots.

/// A table, and perhaps a plot, of one scenario.
#[derive(Debug)]
pub(crate) struct View {
    /// The scenario's title.
    pub(crate) scenario: &'static str,
    /// The heading.
    pub(crate) heading: &'static str,
    /// The figures of a cell, in this order.
    pub(crate) figures: &'static [Column],
    /// The file of the plot, if there is one.
    pub(crate) plot: Option<&'static str>,
}

/// A figure of a view.
#[derive(Debug)]
pub(crate) struct Column {
    /// The figure's name in a sample.
    pub(crate) figure: &'static str,
    /// Its words in the text above a table, and above a panel of a plot.
    pub(crate) words: &'static str,
    /// The value of several rounds.
    pub(crate) statistic: Statistic,
}

/// The value of several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statistic {
    /// The least, with the median in parentheses.
    LeastAndMedian,
    /// The least.
    Least,
    /// The greatest.
    Greatest,
}

const SECONDS: Column =
    Column { figure: "seconds", words: "seconds", statistic: Statistic::LeastAndMedian };
const CPU: Column = Column { figure: "cpu", words: "CPU seconds", statistic: Statistic::Least };
const MEMORY: Column =
    Column { figure: "MB", words: "MB at the peak", statistic: Statistic::Greatest };
const LOST: Column =
    Column { figure: "lost", words: "lost sessions", statistic: Statistic::Greatest };
const WITHDRAWAL: [Column; 2] = [
    Column { figure: "withdrawal seconds", words: "seconds", statistic: Statistic::LeastAndMedian },
    Column { figure: "withdrawal cpu", words: "CPU seconds", statistic: Statistic::Least },
];

/// All views, in the order of the report.
pub(crate) const ALL: [View; 11] = [
    View {
        scenario: "sending to a sink",
        heading: "Sending to a sink",
        figures: &[SECONDS, CPU, MEMORY],
        plot: Some("sending.svg"),
    },
    View {
        scenario: "sending to BIRD",
        heading: "Sending to BIRD",
        figures: &[SECONDS, CPU, MEMORY],
        plot: None,
    },
    View {
        scenario: "sending to BIRD",
        heading: "Sending to BIRD, at BIRD",
        figures: &[
            Column {
                figure: "receiver cpu",
                words: "CPU seconds of BIRD",
                statistic: Statistic::Least,
            },
            Column {
                figure: "receiver MB",
                words: "MB of BIRD at the peak",
                statistic: Statistic::Greatest,
            },
        ],
        plot: None,
    },
    View {
        scenario: "receiving",
        heading: "Receiving",
        figures: &[SECONDS, CPU, MEMORY],
        plot: Some("receiving.svg"),
    },
    View {
        scenario: "receiving",
        heading: "Receiving the withdrawal of all routes",
        figures: &WITHDRAWAL,
        plot: None,
    },
    View {
        scenario: "relaying",
        heading: "Relaying",
        figures: &[SECONDS, CPU, MEMORY],
        plot: Some("relaying.svg"),
    },
    View {
        scenario: "relaying",
        heading: "Relaying the withdrawal of all routes",
        figures: &WITHDRAWAL,
        plot: None,
    },
    View {
        scenario: "relaying from many peers",
        heading: "Relaying from many peers",
        figures: &[SECONDS, CPU, MEMORY],
        plot: None,
    },
    View {
        scenario: "one changing route",
        heading: "One changing route",
        figures: &[
            Column {
                figure: "ms of cpu a change",
                words: "CPU milliseconds a change",
                statistic: Statistic::Least,
            },
            Column {
                figure: "median ms",
                words: "milliseconds until all have it (median)",
                statistic: Statistic::Least,
            },
            Column { figure: "p99 ms", words: "milliseconds (99 %)", statistic: Statistic::Least },
        ],
        plot: Some("changing.svg"),
    },
    View {
        scenario: "connecting",
        heading: "Connecting",
        figures: &[
            SECONDS,
            CPU,
            MEMORY,
            Column {
                figure: "idle %",
                words: "% of a core when idle",
                statistic: Statistic::Least,
            },
            LOST,
        ],
        plot: Some("connecting.svg"),
    },
    View {
        scenario: "the same routes from all peers",
        heading: "The same routes from all peers",
        figures: &[LOST, CPU, MEMORY],
        plot: None,
    },
];
