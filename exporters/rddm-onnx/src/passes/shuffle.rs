//! Pixel shuffles, which burn records as a reshape, a permutation of six axes and a reshape.

use std::collections::HashMap;

use crate::dims::Extent;
use crate::graph::{Attribute, Attributes, Constant, Graph, Node, ValueId};

/// `[n, c, r, r, h, w]` to `[n, c, h, r, w, r]`.
const SHUFFLE: &[i64] = &[0, 1, 4, 2, 5, 3];
/// `[n, c, h, r, w, r]` to `[n, c, r, r, h, w]`.
const UNSHUFFLE: &[i64] = &[0, 1, 3, 5, 2, 4];

pub(super) fn recognise(graph: &mut Graph) -> bool {
    let producers = graph.producers();
    let consumers = graph.consumers();
    let mut changed = false;
    for index in 0..graph.nodes.len() {
        let Some(chain) = chain(graph, &producers, index) else { continue };
        changed |= match chain.permutation.as_slice() {
            SHUFFLE => depth_to_space(graph, index, &chain),
            UNSHUFFLE => widen_convolutions(graph, &consumers, index, &chain),
            _ => false,
        };
    }
    changed
}

/// The three operators that end at a node.
struct Chain {
    source: ValueId,
    middle: Vec<Extent>,
    permutation: Vec<i64>,
}

fn chain(graph: &Graph, producers: &HashMap<ValueId, usize>, index: usize) -> Option<Chain> {
    let before = |node: &Node| producers.get(&node.data()?).map(|index| &graph.nodes[*index]);
    let last = &graph.nodes[index];
    let transpose = before(last)?;
    let first = before(transpose)?;
    if [last.operator, transpose.operator, first.operator] != ["Reshape", "Transpose", "Reshape"] {
        return None;
    }
    let source = first.data()?;
    let middle = graph.shape(first.output).to_vec();
    let ranks = [graph.shape(source).len(), middle.len(), graph.shape(last.output).len()];
    (ranks == [4, 6, 4]).then(|| Chain {
        source,
        middle,
        permutation: transpose.ints("perm").unwrap_or_default().to_vec(),
    })
}

/// The block size, when both axes of the block have the same.
fn block(middle: &[Extent], axes: [usize; 2]) -> Option<usize> {
    (middle[axes[0]] == middle[axes[1]]).then(|| middle[axes[0]].constant()).flatten()
}

fn depth_to_space(graph: &mut Graph, index: usize, chain: &Chain) -> bool {
    let [n, c, _, _, h, w] = chain.middle[..] else { return false };
    let Some(size) = block(&chain.middle, [2, 3]) else { return false };
    let fits = graph.shape(chain.source) == [n, c.times(size * size), h, w]
        && graph.shape(graph.nodes[index].output) == [n, c, h.times(size), w.times(size)];
    if fits {
        let node = &mut graph.nodes[index];
        node.operator = "DepthToSpace";
        node.inputs = vec![Some(chain.source)];
        node.attributes =
            vec![("blocksize", Attribute::Int(size as i64)), ("mode", Attribute::Text("CRD"))];
    }
    fits
}

/// Lets convolutions read the picture in place of its pixel-unshuffled form.
///
/// A convolution of a picture unshuffled by `r` is a convolution of the picture itself, with a kernel, a stride and
/// a padding `r` times as large and the same number of products:
/// `weight'[o, c, r·y + a, r·x + b] = weight[o, (c·r + a)·r + b, y, x]`.
/// ONNX's own `SpaceToDepth` orders channels in another way, and not every engine has it.
fn widen_convolutions(
    graph: &mut Graph,
    consumers: &HashMap<ValueId, Vec<usize>>,
    index: usize,
    chain: &Chain,
) -> bool {
    let [n, c, h, _, w, _] = chain.middle[..] else { return false };
    let Some(size) = block(&chain.middle, [3, 5]) else { return false };
    let unshuffled = graph.nodes[index].output;
    let fits = graph.shape(chain.source) == [n, c, h.times(size), w.times(size)]
        && graph.shape(unshuffled) == [n, c.times(size * size), h, w];
    let readers = consumers.get(&unshuffled).cloned().unwrap_or_default();
    if !fits || graph.is_output(unshuffled) {
        return false;
    }
    let Some(weights) = readers
        .iter()
        .map(|reader| widened(graph, &graph.nodes[*reader], unshuffled, size))
        .collect::<Option<Vec<_>>>()
    else {
        return false;
    };
    for (reader, (weight, name)) in readers.iter().zip(weights) {
        let weight = graph.add_constant(weight, name);
        let node = &mut graph.nodes[*reader];
        node.inputs[0] = Some(chain.source);
        node.inputs[1] = Some(weight);
        node.attributes = enlarged(&node.attributes, size);
    }
    !readers.is_empty()
}

/// The kernel for the picture itself, when the node is a plain convolution with a known one.
fn widened(
    graph: &Graph,
    node: &Node,
    data: ValueId,
    size: usize,
) -> Option<(Constant, Option<String>)> {
    let weight = node.inputs.get(1).copied().flatten()?;
    let plain = node.operator == "Conv"
        && node.data() == Some(data)
        && node.int("group") == Some(1)
        && node.ints("dilations").is_some_and(|dilations| dilations.iter().all(|d| *d == 1));
    let constant = graph.constant(weight).filter(|_| plain)?;
    let values = constant.as_floats()?;
    let [outputs, inputs, height, width] = constant.dims[..] else { return None };
    let channels = inputs / (size * size);
    let mut wide = Vec::with_capacity(values.len());
    for output in 0..outputs {
        for channel in 0..channels {
            for row in 0..height * size {
                for column in 0..width * size {
                    let input = (channel * size + row % size) * size + column % size;
                    wide.push(
                        values[((output * inputs + input) * height + row / size) * width
                            + column / size],
                    );
                }
            }
        }
    }
    let dims = [outputs, channels, height * size, width * size];
    Some((Constant::floats(&dims, &wide), graph.value(weight).name.clone()))
}

fn enlarged(attributes: &Attributes, size: usize) -> Attributes {
    attributes
        .iter()
        .map(|(key, value)| match (*key, value) {
            ("kernel_shape" | "strides" | "pads", Attribute::Ints(values)) => {
                (*key, Attribute::Ints(values.iter().map(|value| value * size as i64).collect()))
            }
            _ => (*key, value.clone()),
        })
        .collect()
}
