use std::borrow::Cow;

use super::{
    Error, ErrorKind,
    error::shortened,
    functions::Function,
    lexer::{Lexeme, Token, lex},
};

/// How deep expressions may nest, as on GitHub.
pub const MAX_DEPTH: usize = 50;

/// How deep it may nest with its parentheses, which GitHub does not count: the stack holds no more.
const MAX_NESTING: usize = 3 * MAX_DEPTH;

/// How long an expression may be, in characters, as on GitHub.
pub const MAX_LENGTH: usize = 21_000;

/// Which names an expression may use at its place.
pub trait Names {
    fn has_context(&self, name: &str) -> bool;
    fn has_function(&self, function: Function) -> bool;
    /// Whether `success()` and `failure()` take ids of jobs: in a job's condition, not in a step's.
    fn status_takes_jobs(&self) -> bool {
        true
    }
}

/// A parsed expression.
#[derive(Debug)]
pub(crate) struct Tree<'s> {
    pub(crate) root: Expression<'s>,
    asks_status: bool,
}

impl Tree<'_> {
    /// Whether `success()`, `failure()`, `cancelled()` or `always()` is called anywhere in it.
    pub(crate) fn asks_status(&self) -> bool {
        self.asks_status
    }
}

/// A node and where it begins, in bytes.
#[derive(Debug)]
pub(crate) struct Expression<'s> {
    pub(crate) node: Node<'s>,
    pub(crate) at: usize,
}

#[derive(Debug)]
pub(crate) enum Node<'s> {
    Null,
    Boolean(bool),
    Number(f64),
    Text(Cow<'s, str>),
    Context(&'s str),
    Index(Box<Expression<'s>>, Box<Expression<'s>>),
    /// `.*`
    All(Box<Expression<'s>>),
    Call(Function, Vec<Expression<'s>>),
    Not(Box<Expression<'s>>),
    /// `a < b == …` of one precedence, from left to right.
    Compare(Box<Expression<'s>>, Vec<(Comparison, Expression<'s>)>),
    And(Vec<Expression<'s>>),
    Or(Vec<Expression<'s>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// The tree of an expression; none where it is empty.
pub(crate) fn parse<'s>(source: &'s str, names: &dyn Names) -> Result<Option<Tree<'s>>, Error> {
    if source.len() > MAX_LENGTH && source.chars().count() > MAX_LENGTH {
        let message = format!("Exceeded max expression length {MAX_LENGTH}");
        return Err(Error { kind: ErrorKind::Parsing, message, offset: 0 });
    }
    let lexemes = lex(source)?;
    if lexemes.is_empty() {
        return Ok(None);
    }
    let mut parser = Parser { source, lexemes: &lexemes, next: 0, depth: 0, names, asks_status: false };
    let root = parser.expression()?;
    if parser.peek().is_some() {
        return Err(parser.unexpected());
    }
    // What has fewer tokens is not so deep.
    if lexemes.len() > MAX_DEPTH && is_deeper(&root, MAX_DEPTH) {
        return Err(too_deep(0));
    }
    Ok(Some(Tree { root, asks_status: parser.asks_status }))
}

fn too_deep(offset: usize) -> Error {
    let message = format!("Exceeded max expression depth {MAX_DEPTH}");
    Error { kind: ErrorKind::Parsing, message, offset }
}

/// Whether nodes are within one another more than `most` deep, as GitHub counts: `a == b == c` is a comparison within
/// another, `a && b && c` is one node with or without parentheses.
fn is_deeper(expression: &Expression<'_>, most: usize) -> bool {
    let Some(within) = most.checked_sub(1) else { return true };
    match &expression.node {
        Node::Null | Node::Boolean(_) | Node::Number(_) | Node::Text(_) | Node::Context(_) => false,
        Node::Index(object, index) => is_deeper(object, within) || is_deeper(index, within),
        // The star is a node too.
        Node::All(object) => within == 0 || is_deeper(object, within),
        Node::Not(operand) => is_deeper(operand, within),
        Node::Call(_, arguments) => arguments.iter().any(|each| is_deeper(each, within)),
        Node::Compare(first, others) => {
            let least = |count: usize| within.checked_sub(count);
            least(others.len() - 1).is_none_or(|most| is_deeper(first, most))
                || others
                    .iter()
                    .rev()
                    .enumerate()
                    .any(|(index, (_, operand))| least(index).is_none_or(|most| is_deeper(operand, most)))
        }
        Node::And(operands) => {
            operands.iter().any(|each| is_deeper(each, if matches!(each.node, Node::And(_)) { most } else { within }))
        }
        Node::Or(operands) => {
            operands.iter().any(|each| is_deeper(each, if matches!(each.node, Node::Or(_)) { most } else { within }))
        }
    }
}

struct Parser<'s, 'l, 'n> {
    source: &'s str,
    lexemes: &'l [Lexeme<'s>],
    next: usize,
    depth: usize,
    names: &'n dyn Names,
    asks_status: bool,
}

impl<'s, 'l> Parser<'s, 'l, '_> {
    fn peek(&self) -> Option<&'l Token<'s>> {
        self.lexemes.get(self.next).map(|lexeme| &lexeme.token)
    }

    fn take(&mut self, token: &Token<'_>) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    fn position(&self) -> usize {
        self.lexemes.get(self.next).map_or(self.source.len(), |lexeme| lexeme.start)
    }

    fn expect(&mut self, token: &Token<'_>) -> Result<(), Error> {
        if self.take(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The next token is none that may stand here.
    fn unexpected(&self) -> Error {
        let (what, lexeme) = match self.lexemes.get(self.next) {
            Some(lexeme) => ("symbol", lexeme),
            None => ("end of expression", &self.lexemes[self.lexemes.len() - 1]),
        };
        let text = shortened(&self.source[lexeme.start..lexeme.end]);
        Error::at(ErrorKind::Parsing, format!("Unexpected {what}: '{text}'"), lexeme.start, self.source)
    }

    fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_NESTING { Err(too_deep(self.position())) } else { Ok(()) }
    }

    fn expression(&mut self) -> Result<Expression<'s>, Error> {
        self.deeper()?;
        let expression = self.or()?;
        self.depth -= 1;
        Ok(expression)
    }

    fn or(&mut self) -> Result<Expression<'s>, Error> {
        self.chain(&Token::Or, Self::and, Node::Or)
    }

    fn and(&mut self) -> Result<Expression<'s>, Error> {
        self.chain(&Token::And, Self::equality, Node::And)
    }

    /// `a || b || c` is one node, however long, so that only nesting counts as depth.
    fn chain(
        &mut self,
        operator: &Token<'_>,
        operand: fn(&mut Self) -> Result<Expression<'s>, Error>,
        node: fn(Vec<Expression<'s>>) -> Node<'s>,
    ) -> Result<Expression<'s>, Error> {
        let first = operand(self)?;
        if self.peek() != Some(operator) {
            return Ok(first);
        }
        self.deeper()?;
        let at = first.at;
        let mut operands = vec![first];
        while self.take(operator) {
            operands.push(operand(self)?);
        }
        self.depth -= 1;
        Ok(Expression { node: node(operands), at })
    }

    fn equality(&mut self) -> Result<Expression<'s>, Error> {
        self.binary(Self::comparison, |token| match token {
            Token::Equal => Some(Comparison::Equal),
            Token::NotEqual => Some(Comparison::NotEqual),
            _ => None,
        })
    }

    fn comparison(&mut self) -> Result<Expression<'s>, Error> {
        self.binary(Self::unary, |token| match token {
            Token::Less => Some(Comparison::Less),
            Token::LessOrEqual => Some(Comparison::LessOrEqual),
            Token::Greater => Some(Comparison::Greater),
            Token::GreaterOrEqual => Some(Comparison::GreaterOrEqual),
            _ => None,
        })
    }

    fn binary(
        &mut self,
        operand: fn(&mut Self) -> Result<Expression<'s>, Error>,
        operator: fn(&Token<'_>) -> Option<Comparison>,
    ) -> Result<Expression<'s>, Error> {
        let first = operand(self)?;
        let mut others = Vec::new();
        while let Some(comparison) = self.peek().and_then(operator) {
            self.next += 1;
            others.push((comparison, operand(self)?));
        }
        if others.is_empty() {
            return Ok(first);
        }
        let at = first.at;
        Ok(Expression { node: Node::Compare(Box::new(first), others), at })
    }

    fn unary(&mut self) -> Result<Expression<'s>, Error> {
        let at = self.position();
        if !self.take(&Token::Not) {
            return self.dereference();
        }
        self.deeper()?;
        let operand = self.unary()?;
        self.depth -= 1;
        Ok(Expression { node: Node::Not(Box::new(operand)), at })
    }

    fn dereference(&mut self) -> Result<Expression<'s>, Error> {
        let (mut expression, dereferenceable) = self.primary()?;
        if !dereferenceable {
            return Ok(expression);
        }
        let mut nested = 0;
        loop {
            let at = expression.at;
            let node = if self.take(&Token::LeftBracket) {
                let node = if self.take(&Token::Star) {
                    Node::All(Box::new(expression))
                } else {
                    Node::Index(Box::new(expression), Box::new(self.expression()?))
                };
                self.expect(&Token::RightBracket)?;
                node
            } else if self.take(&Token::Dot) {
                let position = self.position();
                match self.peek() {
                    Some(Token::Name(name)) => {
                        self.next += 1;
                        let name = Expression { node: Node::Text(Cow::Borrowed(name)), at: position };
                        Node::Index(Box::new(expression), Box::new(name))
                    }
                    Some(Token::Star) => {
                        self.next += 1;
                        Node::All(Box::new(expression))
                    }
                    Some(_) | None => return Err(self.unexpected()),
                }
            } else {
                break;
            };
            self.deeper()?;
            nested += 1;
            expression = Expression { node, at };
        }
        self.depth -= nested;
        Ok(expression)
    }

    /// A literal, a group, a context or a call; and whether `.` and `[` may follow it.
    fn primary(&mut self) -> Result<(Expression<'s>, bool), Error> {
        let at = self.position();
        let Some(token) = self.peek() else { return Err(self.unexpected()) };
        let node = match token {
            Token::Null => Node::Null,
            Token::Boolean(value) => Node::Boolean(*value),
            Token::Number(value) => Node::Number(*value),
            Token::Text(text) => Node::Text(text.clone()),
            Token::LeftParen => {
                self.next += 1;
                let inner = self.expression()?;
                self.expect(&Token::RightParen)?;
                return Ok((inner, true));
            }
            Token::Name(name) => {
                self.next += 1;
                let node = if self.take(&Token::LeftParen) { self.call(name, at)? } else { self.context(name, at)? };
                return Ok((Expression { node, at }, true));
            }
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        Ok((Expression { node, at }, false))
    }

    fn context(&self, name: &'s str, at: usize) -> Result<Node<'s>, Error> {
        if self.names.has_context(name) {
            Ok(Node::Context(name))
        } else {
            Err(Error::at(ErrorKind::Parsing, format!("Unrecognized named-value: '{name}'"), at, self.source))
        }
    }

    fn call(&mut self, name: &'s str, at: usize) -> Result<Node<'s>, Error> {
        let mut arguments = Vec::new();
        if !self.take(&Token::RightParen) {
            arguments.push(self.expression()?);
            while !self.take(&Token::RightParen) {
                self.expect(&Token::Comma)?;
                arguments.push(self.expression()?);
            }
        }
        let error = |what: String| Err(Error::at(ErrorKind::Parsing, what, at, self.source));
        let Some(function) = Function::named(name).filter(|function| self.names.has_function(*function)) else {
            return error(format!("Unrecognized function: '{name}'"));
        };
        let (fewest, most) = match function.arity() {
            (fewest, _) if function.is_status() && !self.names.status_takes_jobs() => (fewest, 0),
            both => both,
        };
        if arguments.len() < fewest {
            return error(format!("Too few parameters supplied: '{name}'"));
        }
        if arguments.len() > most {
            return error(format!("Too many parameters supplied: '{name}'"));
        }
        if function == Function::Case && arguments.len() % 2 == 0 {
            return error(format!(
                "Even number of parameters supplied, requires an odd number of parameters: '{name}'"
            ));
        }
        self.asks_status |= function.is_status();
        Ok(Node::Call(function, arguments))
    }
}
