"""Several fidelities: many programs are evaluated in part, and the best of them further."""
