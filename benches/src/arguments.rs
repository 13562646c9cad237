//! The arguments of the benchmarks.

/// The arguments: the extent of the measurement.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arguments {
    /// The number of rounds; odd, so that there is a median.
    pub rounds: usize,
    /// A filter: measure only streams whose name contains this.
    pub filter: String,
}

impl Arguments {
    /// The arguments of the program: `--rounds N`, and a filter for names of streams. Arguments that Cargo adds are ignored.
    #[must_use]
    pub fn of_program() -> Self {
        let mut arguments = Self { rounds: 9, filter: String::new() };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--rounds" => {
                    let rounds = words.next().and_then(|number| number.parse().ok());
                    arguments.rounds = rounds.unwrap_or(arguments.rounds);
                }
                "--bench" => {}
                _ => arguments.filter = word,
            }
        }
        arguments
    }
}
