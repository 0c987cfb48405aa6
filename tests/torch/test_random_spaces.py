"""Programs of random spaces, from text to PyTorch and back to text."""

import torch
from hypothesis import HealthCheck, assume, given, settings

import archlang as al
from tests.space.random_spaces import network_spaces
from tests.torch.emitted import namespace_of


@given(network_spaces())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_built_emitted_and_printed_programs_agree(text: str) -> None:
    try:
        program = al.loads(text).sample(seed=1)
    except al.ArchError:
        assume(False)
        return
    network = program.build("torch", seed=1).eval()
    image = torch.randn(2, 4, 8, 8)
    emitted = namespace_of(program.emit("torch"))["build"]().eval()
    emitted.load_state_dict(network.state_dict())
    with torch.no_grad():
        found = network(image)
        torch.testing.assert_close(emitted(image), found, rtol=1e-6, atol=1e-6)
    assert list(found.shape) == [2, *program.graph.type_of(program.graph.outputs[0].value).shape[1:]]
    assert sum(weight.numel() for weight in network.parameters()) == program.cost().params
    printed = al.loads(program.source()).program()
    assert printed.canonical_hash == program.canonical_hash
    assert printed.cost().params == program.cost().params
    assert al.loads(program.source(flat=True)).program().graph == program.graph
