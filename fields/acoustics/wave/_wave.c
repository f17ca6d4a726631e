/* Leapfrog steps of the scalar wave equation on a grid of columns of spectral elements.
 *
 *   M (p+ - 2 p + p-) / dt^2 + C (p+ - p-) / (2 dt) + K p = s
 *
 * with diagonal M and C. Nodes lie in planes [plane][y][local x][element x]: the node i of the
 * element e along x is at [i][e], so LANES neighbours are one vector and no indices are gathered.
 * Node N of an element is node 0 of the next one. `pitch` pads the elements of a row; what is
 * padded has no stiffness. K is summed layer by layer into planes that stay in the cache, and the
 * step of a node is made as soon as its sum is whole. Threads have layers each; the plane between
 * two of them is stepped when both are through. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __x86_64__
#include <immintrin.h>
#endif

#define MOST 7 /* highest order */

typedef struct {
  int32_t lateral;                   /* order N along x and y */
  int32_t elements, rows, layers;    /* along x, y, z */
  int32_t pitch;                     /* elements of a row with padding, > elements */
  int32_t begin, end;                /* layers to step; pressure stays 0 outside of them */
  int32_t threads, lanes;            /* at most so many threads; elements in a vector */
  const int32_t *order, *first;      /* of each layer: order along z, first plane */
  const float *slopes, *slopes_z;    /* d l_j / d xi (x_i): [N+1][N+1], [layers][8][8] */
  const float *stiffness_x, *stiffness_y, *stiffness_z; /* W^-1 D' W D (2 / h)^2 */
  const float *weight_xy, *weight_z; /* of the nodes of a box, [N+1][N+1], [layers][8] */
  float per_x, per_y;                /* 2 / h */
  const float *inverse_density;      /* [layers][rows][pitch], 0 where padded */
  const int64_t *metric_at;          /* [layers][rows][pitch / LANES]: -1 for boxes */
  const float *metric;               /* [n+1][N+1][N+1][4][LANES]: S, A, B, T */
  const float *inverse, *keep;       /* of the nodes: 1 / (M/dt^2 + C/2dt); 2 M/dt^2 * that - 1 */
  int64_t sources;
  const int64_t *source_at;          /* nodes with a source */
  const float *source_cos, *source_sin; /* its two parts, times `inverse` */
  float *now, *then;                 /* pressure at this step and the one before */
} Wave;

#define JOIN_(a, b, c) a##_##b##_##c
#define JOIN(a, b, c) JOIN_(a, b, c)

#ifdef __x86_64__
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define ISA v4
#define LANES 16
#include "_wave_orders.h"
#undef ISA
#undef LANES
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("arch=x86-64-v3")
#define ISA v3
#define LANES 8
#include "_wave_orders.h"
#undef ISA
#undef LANES
#pragma GCC pop_options
#endif

#define ISA v1
#define LANES 4
#include "_wave_orders.h"
#undef ISA
#undef LANES

typedef void (*Row)(const Wave *, int, int, float *const *);
typedef void (*Step)(const Wave *, int, int, int, float *);

/* Most elements in a vector on this processor; rows are padded to `lanes`, this or fewer. */
int wave_lanes(void) {
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) return 16;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 8;
#endif
  return 4;
}

/* Ahead of the front numbers too small to matter are 0: returns how it was before. */
static unsigned int flush_to_zero(void) {
#ifdef __x86_64__
  const unsigned int rounding = _mm_getcsr();
  _mm_setcsr(rounding | 0x8040);
  return rounding;
#else
  return 0;
#endif
}

static void restore(unsigned int rounding) {
#ifdef __x86_64__
  _mm_setcsr(rounding);
#else
  (void)rounding;
#endif
}

/* Make `steps` steps; the source at step s is cosine[s] of its one part and sine[s] of the other.
 * Returns 0, or 1 where memory is short. */
int wave_steps(Wave *w, int steps, const float *cosine, const float *sine) {
#ifdef __x86_64__
  static const Row rows[3][MOST - 3] = {ORDERS(row, v1), ORDERS(row, v3), ORDERS(row, v4)};
  static const Step all[3][MOST - 3] = {ORDERS(step, v1), ORDERS(step, v3), ORDERS(step, v4)};
#else
  static const Row rows[1][MOST - 3] = {ORDERS(row, v1)};
  static const Step all[1][MOST - 3] = {ORDERS(step, v1)};
#endif
  const int isa = w->lanes == 16 ? 2 : w->lanes == 8 ? 1 : 0;
  const Row row = rows[isa][w->lateral - 4];
  const Step step = all[isa][w->lateral - 4];
  const int N = w->lateral, ny = w->rows * N + 1, active = w->end - w->begin;
  const size_t plane = (size_t)N * w->pitch * ny;
  const int threads = w->threads < active ? w->threads : active; /* at most */
  const size_t own = (MOST + 2) * plane; /* the layer's planes, and one to put aside */
  float *work = aligned_alloc(64, threads * own * sizeof(float));
  float **low = malloc(2 * threads * sizeof *low);
  if (!work || !low) {
    free(work);
    free(low);
    return 1;
  }
  float **high = low + threads;
#pragma omp parallel num_threads(threads)
  {
#ifdef _OPENMP
    const int t = omp_get_thread_num(), team = omp_get_num_threads();
#else
    const int t = 0, team = 1;
#endif
    const int from = w->begin + (int)((int64_t)active * t / team);
    const int to = w->begin + (int)((int64_t)active * (t + 1) / team);
    const unsigned int rounding = flush_to_zero();
    float *sum[MOST + 2];
    memset(work + t * own, 0, own * sizeof(float));
    for (int k = 0; k < MOST + 2; k++) sum[k] = work + t * own + k * plane;
    for (int s = 0; s < steps; s++) {
      for (int l = from; l < to; l++) {
        const int n = w->order[l];
        const int shared = l == from && t > 0;
        for (int e = 0; e < w->rows; e++) {
          row(w, l, e, sum);
          const int y0 = e * N, y1 = e == w->rows - 1 ? ny : y0 + N;
          for (int k = shared; k < n; k++) step(w, w->first[l] + k, y0, y1, sum[k]);
          if (l == w->layers - 1) step(w, w->first[l] + n, y0, y1, sum[n]);
        }
        float *top = sum[n]; /* the next layer's lowest plane */
        if (shared) {
          low[t] = sum[0];
          sum[n] = sum[MOST + 1];
        } else {
          sum[n] = sum[0];
        }
        sum[0] = top;
      }
      high[t] = sum[0];
#pragma omp barrier
      if (t > 0) {
        float *mine = low[t], *other = high[t - 1];
        for (size_t i = 0; i < plane; i++) {
          mine[i] += other[i];
          other[i] = 0.0f;
        }
        step(w, w->first[from], 0, ny, mine);
        sum[MOST + 1] = mine;
      }
      if (t == team - 1 && to < w->layers) memset(sum[0], 0, plane * sizeof(float));
#pragma omp barrier
#pragma omp single
      {
        for (int64_t i = 0; i < w->sources; i++)
          w->then[w->source_at[i]] +=
              cosine[s] * w->source_cos[i] + sine[s] * w->source_sin[i];
        float *swap = w->now;
        w->now = w->then;
        w->then = swap;
      }
    }
    restore(rounding);
  }
  free(work);
  free(low);
  return 0;
}
