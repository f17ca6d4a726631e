"""Weak forms of the volume conductor in UFL, compiled to C when the package is built.

Strong form: -div(sigma grad V) = 0. Weak form: a(V, w) = ∫ sigma grad V · grad w dx, with the
conductivity sigma (S/m) constant in each tetrahedron, V and w continuous of degree 1 or 2.
FFCx turns this file into C (``CMakeLists.txt``); `rheobase.fields.operators` loads the result.
"""

from basix.ufl import element
from ufl import (
    Coefficient,
    FunctionSpace,
    Mesh,
    TestFunction,
    TrialFunction,
    dx,
    grad,
    inner,
)

mesh = Mesh(element("Lagrange", "tetrahedron", 1, shape=(3,)))
sigma = Coefficient(FunctionSpace(mesh, element("DG", "tetrahedron", 0)))
P1 = FunctionSpace(mesh, element("Lagrange", "tetrahedron", 1))
P2 = FunctionSpace(mesh, element("Lagrange", "tetrahedron", 2))

stiffness_p1 = sigma * inner(grad(TrialFunction(P1)), grad(TestFunction(P1))) * dx
stiffness_p2 = sigma * inner(grad(TrialFunction(P2)), grad(TestFunction(P2))) * dx

forms = [stiffness_p1, stiffness_p2]
