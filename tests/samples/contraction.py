"""Samples of contractions."""

from samples._sample import f, sample

SAMPLES = [
    sample("aten.mm.default", f(2, 3), f(3, 5)),
    sample("aten.bmm.default", f(2, 3, 4), f(2, 4, 5)),
    sample("aten.mv.default", f(2, 3), f(3)),
    sample("aten.dot.default", f(3), f(3)),
    sample("aten.vdot.default", f(3), f(3)),
    sample("aten.linear.default", f(2, 3, 4), f(5, 4), f(5)),
    sample("aten.linear.default", f(3, 4), f(5, 4)),
    # A term that broadcasts fully, in part, and not at all.
    sample("aten.addmm.default", f(5), f(2, 3), f(3, 5)),
    sample("aten.addmm.default", f(2, 1), f(2, 3), f(3, 5)),
    sample("aten.addmm.default", f(2, 5), f(2, 3), f(3, 5), beta=2.0, alpha=0.5),
    sample("aten.baddbmm.default", f(2, 3, 5), f(2, 3, 4), f(2, 4, 5)),
    sample("aten.baddbmm.default", f(1, 1, 5), f(2, 3, 4), f(2, 4, 5)),
    sample("aten.addbmm.default", f(3, 5), f(2, 3, 4), f(2, 4, 5)),
    sample("aten.addmv.default", f(2), f(2, 3), f(3)),
    sample("aten.addr.default", f(2, 3), f(2), f(3)),
    sample("aten.addr.default", f(3), f(2), f(3)),
    # Bilinear: n i, o i j, n j -> n o.
    sample("aten._trilinear.default", f(2, 3), f(5, 3, 4), f(2, 4), [1, 3], [0], [1, 2], [2, 3]),
    sample("aten._cdist_forward.default", f(2, 3, 4), f(2, 5, 4), 2.0, None),
    sample("aten._cdist_forward.default", f(3, 4), f(5, 4), 2.0, None),
    sample("aten._euclidean_dist.default", f(3, 4), f(5, 4)),
    sample("aten.linalg_cross.default", f(2, 3), f(2, 3)),
    sample("aten.linalg_cross.default", f(3, 2), f(3, 1), dim=0),
]
