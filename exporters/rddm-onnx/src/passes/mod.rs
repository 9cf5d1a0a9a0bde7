//! Rewrites that keep what a graph computes and make it shorter.

mod shuffle;
mod simplify;

use std::collections::{HashMap, HashSet};

use crate::graph::{Graph, ValueId};

/// Applies every pass until none changes anything.
pub(crate) fn optimise(graph: &mut Graph) {
    // Each round removes or replaces at least one operator by a simpler one, so that the rounds end by themselves;
    // the bound is for the case that two passes undo each other's work.
    for _ in 0..graph.nodes.len() + 8 {
        let changed =
            simplify::simplify(graph) | shuffle::recognise(graph) | share(graph) | sweep(graph);
        if !changed {
            break;
        }
    }
}

/// Equal operators on equal inputs become one.
fn share(graph: &mut Graph) -> bool {
    let mut seen = HashMap::new();
    let mut table = HashMap::new();
    for node in &graph.nodes {
        let inputs: Vec<Option<ValueId>> = node
            .inputs
            .iter()
            .map(|id| id.map(|id| table.get(&id).copied().unwrap_or(id)))
            .collect();
        let key = (
            node.operator,
            inputs,
            format!("{:?}", node.attributes),
            graph.shape(node.output).to_vec(),
        );
        match seen.get(&key) {
            Some(first) => {
                table.insert(node.output, *first);
            }
            None => {
                seen.insert(key, node.output);
            }
        }
    }
    graph.nodes.retain(|node| !table.contains_key(&node.output));
    graph.substitute(&table);
    !table.is_empty()
}

/// Operators that no output needs are removed.
fn sweep(graph: &mut Graph) -> bool {
    let mut needed: HashSet<ValueId> = graph.outputs.iter().map(|(_, id)| *id).collect();
    let mut keep = vec![false; graph.nodes.len()];
    for (index, node) in graph.nodes.iter().enumerate().rev() {
        if needed.contains(&node.output) {
            keep[index] = true;
            needed.extend(node.inputs.iter().flatten());
        }
    }
    let mut kept = keep.iter();
    graph.nodes.retain(|_| kept.next().copied().unwrap_or(true));
    keep.contains(&false)
}
