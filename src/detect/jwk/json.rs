//! JSON read from inside of an object to either end, as JSON, as JSON in JSON, and as Python prints it.

use std::ops::Range;

/// How deep what is nested in a key is followed.
const DEEPEST: usize = 4;
/// How often an object may say `kty` to one side: once. Hostile text is left behind a few more.
const MOST_KEYS: usize = 3;
/// Backslashes that are counted before a quote: JSON in JSON in JSON has three.
const MOST_BACKSLASHES: usize = 8;

/// A piece of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A string, without its quotes.
    String(Range<usize>),
    /// What stands between a name and its value.
    Colon,
    /// A brace or a bracket that opens.
    Open,
    /// A brace or a bracket that closes.
    Close,
    /// Commas, numbers, words.
    Other,
    /// Line breaks that are escaped and the backslashes of quotes too.
    Space,
}

impl Token {
    /// What stands between its quotes, if it is a string.
    pub fn string(&self) -> Option<&Range<usize>> {
        if let Self::String(content) = self { Some(content) } else { None }
    }
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The text ends here; there may be more of it elsewhere.
    Edge,
    /// What stands here is no JSON.
    Foreign,
}

/// Reads JSON from inside an object to either end.
pub struct Tokens<'a> {
    text: &'a [u8],
    quote: u8,
    /// Backslashes before each quote: JSON in JSON has one, JSON in that has three.
    pub level: usize,
}

/// Which way it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the object's begin.
    Back,
    /// To its end.
    Ahead,
}

impl<'a> Tokens<'a> {
    /// The text of an object that has a name whose opening quote is at `at`.
    pub fn new(text: &'a [u8], at: usize) -> Self {
        let quote = text.get(at).copied().unwrap_or(b'"');
        Self { text, quote, level: backslashes(text, at) }
    }

    /// The object's own tokens from `at` to its end, in the order in which they are read, what is nested left out; and
    /// whether the text ended first.
    pub fn collect(&self, mut at: usize, direction: Direction) -> (Vec<Token>, bool) {
        let (mut tokens, mut depth, mut keys) = (Vec::new(), 0_usize, 0);
        while depth <= DEEPEST && keys <= MOST_KEYS {
            let (token, next) = match self.read(at, direction) {
                Ok(read) => read,
                Err(end) => return (tokens, end == End::Edge),
            };
            at = next;
            match (&token, direction) {
                (Token::Open, Direction::Ahead) | (Token::Close, Direction::Back) => depth += 1,
                (Token::Open | Token::Close, _) if depth == 0 => break,
                (Token::Open | Token::Close, _) => depth -= 1,
                (Token::Space, _) => continue,
                _ => {}
            }
            if depth == 0 {
                keys += usize::from(token.string().and_then(|s| self.text.get(s.clone())) == Some(b"kty"));
                tokens.push(token);
            }
        }
        (tokens, false)
    }

    /// The token that begins at `at`, or the one that ends there, and where to go on.
    fn read(&self, at: usize, direction: Direction) -> Result<(Token, usize), End> {
        let place = match direction {
            Direction::Ahead => at,
            Direction::Back => at.checked_sub(1).ok_or(End::Edge)?,
        };
        let next = if direction == Direction::Ahead { at + 1 } else { place };
        let token = match *self.text.get(place).ok_or(End::Edge)? {
            byte if byte == self.quote => return self.string(place, direction),
            b'{' | b'[' => Token::Open,
            b'}' | b']' => Token::Close,
            b':' => Token::Colon,
            byte if byte.is_ascii_whitespace() || byte == b'\\' => Token::Space,
            b'n' | b'r' | b't' if backslashes(self.text, place) > 0 => Token::Space,
            byte if byte.is_ascii_alphanumeric() || b",+-.".contains(&byte) => Token::Other,
            _ => return Err(End::Foreign),
        };
        Ok((token, next))
    }

    /// The string of which one quote is at `at`: the first going ahead, the last going back.
    fn string(&self, at: usize, direction: Direction) -> Result<(Token, usize), End> {
        if direction == Direction::Ahead {
            let close = self.quote_in(at + 1..self.text.len())?;
            return Ok((Token::String(at + 1..(close - self.level).max(at + 1)), close + 1));
        }
        let open = self.quote_in((0..at).rev())?;
        let content = open + 1..at.saturating_sub(self.level).max(open + 1);
        Ok((Token::String(content), open.saturating_sub(self.level)))
    }

    /// The first place that holds a quote with the right number of backslashes.
    fn quote_in(&self, places: impl Iterator<Item = usize>) -> Result<usize, End> {
        for at in places {
            match self.text.get(at) {
                Some(&byte) if byte == self.quote && backslashes(self.text, at) == self.level => return Ok(at),
                Some(byte) if byte.is_ascii_control() => return Err(End::Foreign),
                _ => {}
            }
        }
        Err(End::Edge)
    }
}

/// How many backslashes stand before `at`.
fn backslashes(text: &[u8], at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.iter().rev().take(MOST_BACKSLASHES).take_while(|&&b| b == b'\\').count()
}
