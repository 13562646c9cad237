//! The few arguments that the benchmarks take.

/// How much is measured.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Arguments {
    /// Rounds; odd, so that there is one in the middle.
    pub rounds: usize,
    /// Only streams whose name contains this.
    pub filter: String,
}

impl Arguments {
    /// Those of the program: `--rounds N`, and a word that names of streams contain. What Cargo adds is left out.
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
