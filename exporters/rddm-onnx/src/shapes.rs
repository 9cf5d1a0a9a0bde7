//! The shapes that `Reshape` and `Expand` read: numbers where sizes are fixed, computed where they vary.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::Error;
use crate::dims::Extent;
use crate::graph::Element;
use crate::graph::{Attribute, Graph, Node, ValueId};

/// Gives every `Reshape` and `Expand` its second input.
///
/// # Errors
/// When a size is neither that of an earlier tensor nor a product of the inputs' sizes.
pub(crate) fn finish(graph: &mut Graph) -> Result<(), Error> {
    let nodes = std::mem::take(&mut graph.nodes);
    let producers: HashMap<ValueId, Vec<ValueId>> = nodes
        .iter()
        .map(|node| (node.output, node.inputs.iter().flatten().copied().collect()))
        .collect();
    for mut node in nodes {
        if let ("Reshape" | "Expand", Some(input)) = (node.operator, node.data()) {
            let before = graph.nodes.len();
            let shape = if node.operator == "Reshape" {
                reshape(graph, &node, input)
            } else {
                expand(graph, &node, input)
            };
            let shape = vector(graph, &producers, input, &shape).map_err(|error| {
                error.at(&format!(
                    "the shape of a {}{}",
                    node.operator,
                    node.place.as_deref().map(|p| format!(" in `{p}`")).unwrap_or_default()
                ))
            })?;
            for added in &mut graph.nodes[before..] {
                added.place.clone_from(&node.place);
            }
            node.inputs.push(Some(shape));
        }
        graph.nodes.push(node);
    }
    Ok(())
}

/// An entry of a shape.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Entry {
    Number(i64),
    Computed(Extent),
}

/// Zero copies the input's length at the same place, -1 stands for what is left.
fn reshape(graph: &Graph, node: &Node, input: ValueId) -> Vec<Entry> {
    let (from, to) = (graph.shape(input), graph.shape(node.output));
    let mut entries: Vec<Entry> = to
        .iter()
        .enumerate()
        .map(|(axis, extent)| match extent.constant() {
            Some(length) => Entry::Number(length as i64),
            None if from.get(axis) == Some(extent) => Entry::Number(0),
            None => Entry::Computed(*extent),
        })
        .collect();
    let computed: Vec<usize> =
        (0..entries.len()).filter(|axis| matches!(entries[*axis], Entry::Computed(_))).collect();
    if let [axis] = computed[..] {
        entries[axis] = Entry::Number(-1);
    }
    entries
}

/// One keeps the input's length where it is the same.
fn expand(graph: &Graph, node: &Node, input: ValueId) -> Vec<Entry> {
    let (from, to) = (graph.shape(input), graph.shape(node.output));
    let added = to.len() - from.len().min(to.len());
    to.iter()
        .enumerate()
        .map(|(axis, extent)| match extent.constant() {
            Some(length) => Entry::Number(length as i64),
            None if axis >= added && from[axis - added] == *extent => Entry::Number(1),
            None => Entry::Computed(*extent),
        })
        .collect()
}

/// A vector of whole numbers.
fn vector(
    graph: &mut Graph,
    producers: &HashMap<ValueId, Vec<ValueId>>,
    near: ValueId,
    entries: &[Entry],
) -> Result<ValueId, Error> {
    let mut pieces: Vec<ValueId> = Vec::new();
    let mut rest = entries;
    while let Some(first) = rest.first() {
        let same_kind =
            |entry: &&Entry| matches!(entry, Entry::Number(_)) == matches!(first, Entry::Number(_));
        let count = rest.iter().take_while(same_kind).count();
        let (run, tail) = rest.split_at(count);
        if matches!(first, Entry::Number(_)) {
            let numbers: Vec<i64> =
                run.iter().map(|entry| if let Entry::Number(n) = entry { *n } else { 0 }).collect();
            pieces.push(graph.integers(&numbers));
        } else {
            for entry in run {
                if let Entry::Computed(extent) = entry {
                    pieces.push(length(graph, producers, near, *extent)?);
                }
            }
        }
        rest = tail;
    }
    if let [single] = pieces[..] {
        return Ok(single);
    }
    let shape = vec![Extent::fixed(entries.len())];
    Ok(graph.add_node("Concat", &pieces, vec![("axis", Attribute::Int(0))], shape, Element::Int64))
}

/// A vector of one number, the length `extent`.
fn length(
    graph: &mut Graph,
    producers: &HashMap<ValueId, Vec<ValueId>>,
    near: ValueId,
    extent: Extent,
) -> Result<ValueId, Error> {
    if let Some((value, axis)) = nearest(graph, producers, near, extent) {
        return Ok(shape_entry(graph, value, axis));
    }
    let unknown = || {
        Error::depends_on_size(format!(
            "a length that is {:?} at the traced sizes follows from none of the inputs' sizes",
            extent.0
        ))
    };
    let monomial = graph.symbols.express(extent).ok_or_else(unknown)?;
    let mut factors: Vec<ValueId> = Vec::new();
    if monomial.numerator != 1 {
        factors.push(graph.integers(&[monomial.numerator as i64]));
    }
    let symbols = graph.symbols.list.clone();
    for (symbol, power) in symbols.iter().zip(&monomial.powers) {
        let source = graph.inputs.iter().find_map(|input| {
            Some((*input, graph.shape(*input).iter().position(|e| *e == symbol.extent)?))
        });
        for _ in 0..*power {
            let (value, axis) = source.ok_or_else(unknown)?;
            factors.push(shape_entry(graph, value, axis));
        }
    }
    let one = vec![Extent::fixed(1)];
    let mut product = factors.first().copied().ok_or_else(unknown)?;
    for factor in &factors[1..] {
        product =
            graph.add_node("Mul", &[product, *factor], Vec::new(), one.clone(), Element::Int64);
    }
    if monomial.denominator != 1 {
        let denominator = graph.integers(&[monomial.denominator as i64]);
        product = graph.add_node("Div", &[product, denominator], Vec::new(), one, Element::Int64);
    }
    Ok(product)
}

fn shape_entry(graph: &mut Graph, value: ValueId, axis: usize) -> ValueId {
    let bounds =
        vec![("start", Attribute::Int(axis as i64)), ("end", Attribute::Int(axis as i64 + 1))];
    let existing = graph.nodes.iter().find(|node| {
        node.operator == "Shape" && node.data() == Some(value) && node.attributes == bounds
    });
    match existing {
        Some(node) => node.output,
        None => graph.add_node("Shape", &[value], bounds, vec![Extent::fixed(1)], Element::Int64),
    }
}

/// The closest tensor above `near` with an axis of that length.
fn nearest(
    graph: &Graph,
    producers: &HashMap<ValueId, Vec<ValueId>>,
    near: ValueId,
    extent: Extent,
) -> Option<(ValueId, usize)> {
    let mut queue = VecDeque::from([near]);
    let mut seen = HashSet::from([near]);
    while let Some(value) = queue.pop_front() {
        if let Some(axis) = graph.shape(value).iter().position(|candidate| *candidate == extent) {
            return Some((value, axis));
        }
        for input in producers.get(&value).into_iter().flatten() {
            if graph.constant(*input).is_none() && seen.insert(*input) {
                queue.push_back(*input);
            }
        }
    }
    None
}
