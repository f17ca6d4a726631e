/* The rows of all lateral orders for one instruction set. */
#define N 4
#include "_wave_row.h"
#undef N
#define N 5
#include "_wave_row.h"
#undef N
#define N 6
#include "_wave_row.h"
#undef N
#define N 7
#include "_wave_row.h"
#undef N
#ifndef ORDERS
#define ORDERS(name, isa) {name##_##isa##_4, name##_##isa##_5, name##_##isa##_6, name##_##isa##_7}
#endif
