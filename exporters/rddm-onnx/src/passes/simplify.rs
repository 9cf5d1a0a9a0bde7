//! Operators that do nothing, chains of views, broadcasts that the next operator does anyway.

use std::collections::HashMap;

use crate::dims::Extent;
use crate::graph::{Attribute, Graph, Node, ValueId};

/// Operators that broadcast their inputs against each other.
const BROADCASTING: [&str; 5] = ["Add", "Sub", "Mul", "Div", "Where"];

pub(super) fn simplify(graph: &mut Graph) -> bool {
    let mut changed = false;
    let mut table: HashMap<ValueId, ValueId> = HashMap::new();
    let producers = graph.producers();
    for index in 0..graph.nodes.len() {
        changed |= merge_views(graph, &producers, index);
        changed |= skip_expand(graph, &producers, index);
        let node = &graph.nodes[index];
        if let Some(input) = node.data().filter(|input| is_identity(graph, node, *input)) {
            table.insert(node.output, input);
        }
    }
    graph.nodes.retain(|node| !table.contains_key(&node.output));
    graph.substitute(&table);
    changed || !table.is_empty()
}

fn is_identity(graph: &Graph, node: &Node, input: ValueId) -> bool {
    let same_shape = graph.shape(input) == graph.shape(node.output);
    let same_element = graph.value(input).element == graph.value(node.output).element;
    match node.operator {
        "Reshape" | "Expand" | "Slice" | "Tile" => same_shape,
        "Cast" => same_element,
        "Concat" => node.inputs.len() == 1,
        "Transpose" => node
            .ints("perm")
            .is_some_and(|perm| perm.iter().enumerate().all(|(to, from)| to as i64 == *from)),
        _ => false,
    }
}

/// A view of a view of the same kind is one view; a transposition that only moves axes of length 1 is a reshape.
fn merge_views(graph: &mut Graph, producers: &HashMap<ValueId, usize>, index: usize) -> bool {
    let node = &graph.nodes[index];
    let Some(input) = node.data() else { return false };
    let before = producers.get(&input).map(|before| &graph.nodes[*before]);
    match (node.operator, before) {
        ("Reshape", Some(before)) if before.operator == "Reshape" => {
            graph.nodes[index].inputs = before.inputs.clone();
            true
        }
        ("Transpose", Some(before)) if before.operator == "Transpose" => {
            let (Some(first), Some(second)) = (before.ints("perm"), node.ints("perm")) else {
                return false;
            };
            let composed = second.iter().map(|axis| first[*axis as usize]).collect();
            let inputs = before.inputs.clone();
            graph.nodes[index].attributes = vec![("perm", Attribute::Ints(composed))];
            graph.nodes[index].inputs = inputs;
            true
        }
        ("Transpose", _) if keeps_order(graph, node) => {
            graph.nodes[index].operator = "Reshape";
            graph.nodes[index].attributes.clear();
            true
        }
        _ => false,
    }
}

/// Whether the axes longer than 1 stay in order.
fn keeps_order(graph: &Graph, node: &Node) -> bool {
    let (Some(input), Some(perm)) = (node.data(), node.ints("perm")) else { return false };
    let shape = graph.shape(input);
    let long: Vec<i64> =
        perm.iter().copied().filter(|axis| shape[*axis as usize] != Extent::fixed(1)).collect();
    long.is_sorted()
}

/// Reads past an `Expand` where broadcasting gives the same shape.
fn skip_expand(graph: &mut Graph, producers: &HashMap<ValueId, usize>, index: usize) -> bool {
    let node = &graph.nodes[index];
    if !BROADCASTING.contains(&node.operator) {
        return false;
    }
    for position in 0..node.inputs.len() {
        let Some(input) = node.inputs[position] else { continue };
        let Some(expand) = producers.get(&input).map(|before| &graph.nodes[*before]) else {
            continue;
        };
        let (true, Some(source)) = (expand.operator == "Expand", expand.data()) else { continue };
        let shapes: Vec<&[Extent]> = (0..node.inputs.len())
            .filter_map(|other| if other == position { Some(source) } else { node.inputs[other] })
            .map(|id| graph.shape(id))
            .collect();
        if broadcast(&shapes) == graph.shape(node.output) {
            graph.nodes[index].inputs[position] = Some(source);
            return true;
        }
    }
    false
}

fn broadcast(shapes: &[&[Extent]]) -> Vec<Extent> {
    let rank = shapes.iter().map(|shape| shape.len()).max().unwrap_or(0);
    let mut result = vec![Extent::fixed(1); rank];
    for shape in shapes {
        for (slot, extent) in result[rank - shape.len()..].iter_mut().zip(*shape) {
            if *slot == Extent::fixed(1) {
                *slot = *extent;
            }
        }
    }
    result
}
