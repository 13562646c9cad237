//! The state of the view, and what each key does to it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::answers::{Answers, Opened};
use super::rows::{Row, rows};

/// The view.
#[derive(Debug)]
pub(super) struct App {
    pub(super) answers: Answers,
    pub(super) tab: Tab,
    /// The row that the cursor is on.
    pub(super) selected: usize,
    /// Only rows that contain this text are shown.
    pub(super) filter: String,
    /// True while the user types the filter.
    pub(super) is_typing: bool,
    pub(super) only_problems: bool,
    pub(super) shows_keys: bool,
    /// The line of the opened text that is at the top.
    pub(super) scroll: u16,
    /// The reason why the process does not answer.
    pub(super) lost: Option<String>,
    pub(super) is_coloured: bool,
    open: Option<Open>,
    routes_of: Option<(String, String)>,
    has_new_wish: bool,
    is_over: bool,
}

/// The lists, in the order of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Peers,
    Services,
    Routes,
    Pools,
    Bfd,
    Events,
}

/// What the view needs from the process.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) tab: Tab,
    pub(super) only_problems: bool,
    /// The node and the name of the peer whose routes to show. `None` for the first peer.
    pub(super) routes_of: Option<(String, String)>,
    pub(super) open: Option<Open>,
}

/// What a row opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Open {
    Service { namespace: String, name: String },
    Peer { node: String, name: String },
}

impl Tab {
    pub(super) const ALL: [Self; 6] =
        [Self::Peers, Self::Services, Self::Routes, Self::Pools, Self::Bfd, Self::Events];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Peers => "Peers",
            Self::Services => "Services",
            Self::Routes => "Routes",
            Self::Pools => "Pools",
            Self::Bfd => "BFD",
            Self::Events => "Events",
        }
    }

    fn step(self, by: usize) -> Self {
        let here = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Self::ALL.get((here + by) % Self::ALL.len()).copied().unwrap_or(self)
    }
}

impl App {
    pub(super) fn new(is_coloured: bool) -> Self {
        Self {
            answers: Answers::default(),
            tab: Tab::Peers,
            selected: 0,
            filter: String::new(),
            is_typing: false,
            only_problems: false,
            shows_keys: false,
            scroll: 0,
            lost: None,
            is_coloured,
            open: None,
            routes_of: None,
            has_new_wish: false,
            is_over: false,
        }
    }

    pub(super) fn wish(&self) -> Wish {
        Wish {
            tab: self.tab,
            only_problems: self.only_problems,
            routes_of: self.routes_of.clone(),
            open: self.open.clone(),
        }
    }

    /// Returns true once after each change of the [wish](Self::wish).
    pub(super) fn takes_new_wish(&mut self) -> bool {
        std::mem::take(&mut self.has_new_wish)
    }

    /// Returns true if the user has left.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Notes why the process did not answer; `None` if it did.
    pub(super) fn note(&mut self, error: Option<String>) {
        self.lost = error;
        self.keep_selection();
    }

    /// Returns the rows of the list that contain the filter.
    pub(super) fn rows(&self) -> Vec<Row> {
        let wanted = self.filter.to_lowercase();
        let mut rows = rows(self.tab, &self.answers);
        rows.retain(|row| row.contains(&wanted) && (!self.only_problems || row.is_problem()));
        rows
    }

    /// Returns what is open, once the process has answered.
    pub(super) fn opened(&self) -> Option<&Opened> {
        self.open.as_ref().and(self.answers.opened.as_ref())
    }

    pub(super) fn press(&mut self, key: KeyEvent) {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if is_control && key.code == KeyCode::Char('c') {
            self.is_over = true;
        } else if self.is_typing {
            self.type_filter(key.code);
        } else if self.shows_keys {
            self.shows_keys = false;
        } else if self.open.is_some() {
            self.press_in_text(key.code);
        } else {
            self.press_in_list(key.code);
        }
        self.keep_selection();
    }

    fn type_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(typed) => self.filter.push(typed),
            _ => {}
        }
    }

    fn press_in_text(&mut self, key: KeyCode) {
        match key {
            KeyCode::Esc | KeyCode::Backspace | KeyCode::Left | KeyCode::Char('q' | 'h') => {
                self.open = None;
            }
            KeyCode::Down | KeyCode::Char('j') => self.scroll = self.scroll.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => {
                self.scroll = self.scroll.saturating_add(PAGE);
            }
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(PAGE),
            KeyCode::Home | KeyCode::Char('g') => self.scroll = 0,
            KeyCode::Char('r') => self.show_routes_of_open_peer(),
            KeyCode::Char('?') => self.shows_keys = true,
            _ => {}
        }
    }

    fn press_in_list(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char('q') => self.is_over = true,
            KeyCode::Esc if self.filter.is_empty() => {}
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('?') => self.shows_keys = true,
            KeyCode::Char('p') => {
                self.only_problems = !self.only_problems;
                self.has_new_wish = true;
            }
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => self.go_to(self.tab.step(1)),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => {
                self.go_to(self.tab.step(Tab::ALL.len() - 1));
            }
            KeyCode::Char(digit @ '1'..='6') => {
                let number = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok());
                if let Some(tab) = number.and_then(|number| Tab::ALL.get(number - 1)) {
                    self.go_to(*tab);
                }
            }
            KeyCode::Down | KeyCode::Char('j') => self.selected = self.selected.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => {
                self.selected = self.selected.saturating_add(usize::from(PAGE));
            }
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(usize::from(PAGE)),
            KeyCode::Home | KeyCode::Char('g') => self.selected = 0,
            KeyCode::End | KeyCode::Char('G') => self.selected = usize::MAX,
            KeyCode::Char('r') => self.show_routes_of_selected_peer(),
            KeyCode::Enter => self.open_selected(),
            _ => {}
        }
    }

    fn go_to(&mut self, tab: Tab) {
        if tab != self.tab {
            self.tab = tab;
            self.selected = 0;
            self.has_new_wish = true;
        }
    }

    fn open_selected(&mut self) {
        let open = self.rows().into_iter().nth(self.selected).and_then(|row| row.opens);
        if open.is_some() {
            self.open = open;
            self.answers.opened = None;
            self.scroll = 0;
            self.has_new_wish = true;
        }
    }

    fn show_routes_of_open_peer(&mut self) {
        if let Some(Open::Peer { node, name }) = self.open.take() {
            self.show_routes(node, name);
        }
    }

    fn show_routes_of_selected_peer(&mut self) {
        let selected = self.rows().into_iter().nth(self.selected);
        if let Some(Open::Peer { node, name }) = selected.and_then(|row| row.opens) {
            self.show_routes(node, name);
        }
    }

    fn show_routes(&mut self, node: String, name: String) {
        self.routes_of = Some((node, name));
        self.tab = Tab::Routes;
        self.selected = 0;
        self.filter.clear();
        self.has_new_wish = true;
    }

    /// Keeps the cursor on a row.
    fn keep_selection(&mut self) {
        self.selected = self.selected.min(self.rows().len().saturating_sub(1));
    }
}

/// The number of lines that a page key moves.
const PAGE: u16 = 10;
