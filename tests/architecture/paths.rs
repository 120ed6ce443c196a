//! Finds the paths in a file's text.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// What a module says about others. All paths are whole, from the crate's root on.
#[derive(Debug, Default)]
pub struct Module {
    pub name: Vec<String>,
    /// The modules that it declares in files of their own.
    pub children: Vec<String>,
    /// The paths that it uses.
    pub uses: Vec<Vec<String>>,
    /// The names that it imports, with what they stand for; a name's path may begin with one of the children.
    pub imports: Vec<(String, Vec<String>)>,
}

/// The module in a file's text, then those that are written out in it; code under `cfg(test)` aside.
pub fn modules(name: &[String], text: &str) -> Vec<Module> {
    let tokens: TokenStream = text.parse().unwrap_or_else(|error| panic!("{}: {error}", name.join("::")));
    let mut found = Vec::new();
    read_module(name.to_vec(), tokens, &mut found);
    found
}

fn read_module(name: Vec<String>, tokens: TokenStream, found: &mut Vec<Module>) {
    let mut module = Module { name, ..Module::default() };
    let mut inner = Vec::new();
    module.read(&tokens.into_iter().collect::<Vec<_>>(), &mut inner);
    found.push(module);
    found.append(&mut inner);
}

impl Module {
    fn read(&mut self, tokens: &[TokenTree], inner: &mut Vec<Module>) {
        let mut at = 0;
        while at < tokens.len() {
            let rest = &tokens[at..];
            at += if is_test_attribute(rest) {
                2 + item_len(&rest[2..])
            } else if let [TokenTree::Ident(keyword), TokenTree::Ident(name), body, ..] = rest
                && keyword == "mod"
            {
                match body {
                    TokenTree::Group(body) => {
                        let name = [&self.name[..], &[name.to_string()]].concat();
                        read_module(name, body.stream(), inner);
                    }
                    _ => self.children.push(name.to_string()),
                }
                3
            } else if is_ident(rest, "use") {
                1 + self.read_import(&[], &rest[1..])
            } else if let Some((path, len)) = self.path(rest) {
                self.uses.push(path);
                len
            } else {
                if let TokenTree::Group(group) = &rest[0] {
                    self.read(&tokens_of(group), inner);
                }
                1
            };
        }
    }

    /// Reads a tree of imports below a path; how many tokens that were.
    fn read_import(&mut self, above: &[String], tokens: &[TokenTree]) -> usize {
        let mut path = above.to_vec();
        let mut at = 0;
        loop {
            match tokens.get(at) {
                Some(TokenTree::Ident(name)) if name == "as" => {
                    let alias = tokens[at + 1].to_string();
                    self.import(alias, path);
                    return at + 2;
                }
                Some(TokenTree::Ident(name)) => path.push(name.to_string()),
                Some(TokenTree::Group(group)) => {
                    let tokens = tokens_of(group);
                    let mut branch = 0;
                    while branch < tokens.len() {
                        // The comma after each.
                        branch += self.read_import(&path, &tokens[branch..]) + 1;
                    }
                    return at + 1;
                }
                Some(TokenTree::Punct(punct)) if punct.as_char() == ':' => {}
                Some(TokenTree::Punct(punct)) if punct.as_char() == '*' => path.push("*".to_owned()),
                _ => break,
            }
            at += 1;
        }
        let last = path.last().cloned().unwrap_or_default();
        let name = if last == "self" { path.iter().rev().nth(1).cloned().unwrap_or_default() } else { last };
        self.import(name, path);
        at
    }

    fn import(&mut self, name: String, mut path: Vec<String>) {
        if path.len() > 1 {
            path.pop_if(|last| last == "self");
        }
        let whole = self.whole(&path);
        self.uses.extend(whole.clone());
        self.imports.push((name, whole.unwrap_or(path)));
    }

    /// The path that begins here, if one of the crate's does, and its number of tokens.
    fn path(&self, tokens: &[TokenTree]) -> Option<(Vec<String>, usize)> {
        let mut path = Vec::new();
        let mut at = 0;
        while let Some(TokenTree::Ident(name)) = tokens.get(at) {
            path.push(name.to_string());
            at += 1;
            if !is_colon(tokens.get(at)) || !is_colon(tokens.get(at + 1)) {
                break;
            }
            at += 2;
        }
        // `crate` in `pub(crate)` and the value `self` are none.
        let whole = self.whole(&path).filter(|_| path.len() > 1)?;
        Some((whole, at))
    }

    /// A path from the crate's root on, unless it is one of another crate's, or of a name's in scope.
    fn whole(&self, path: &[String]) -> Option<Vec<String>> {
        let mut base = match path.first()?.as_str() {
            "crate" | "aci_scaler" => Vec::new(),
            "self" | "super" => self.name.clone(),
            _ => return None,
        };
        for name in path {
            match name.as_str() {
                "crate" | "aci_scaler" | "self" => {}
                "super" => drop(base.pop()),
                name => base.push(name.to_owned()),
            }
        }
        Some(base)
    }
}

/// How many tokens there are to the end of an item.
fn item_len(tokens: &[TokenTree]) -> usize {
    let keyword = tokens.iter().find_map(|token| match token {
        TokenTree::Ident(name) if name != "pub" => Some(name.to_string()),
        _ => None,
    });
    let ends_with_block = !matches!(keyword.as_deref(), Some("use" | "const" | "static" | "type"));
    let is_end = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Group(group) => ends_with_block && group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    tokens.iter().position(is_end).map_or(tokens.len(), |end| end + 1)
}

fn is_test_attribute(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [TokenTree::Punct(hash), TokenTree::Group(attribute), ..]
        if hash.as_char() == '#' && attribute.stream().to_string().replace(' ', "") == "cfg(test)")
}

fn is_ident(tokens: &[TokenTree], word: &str) -> bool {
    matches!(tokens, [TokenTree::Ident(name), ..] if name == word)
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

fn tokens_of(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}
