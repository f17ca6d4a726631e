/* One row of elements of lateral order N, LANES of them at a time. Included by _wave.c once for
 * each instruction set (ISA, LANES) and order (N). */

#define FN(name) JOIN(name, ISA, N)
#define vec FN(vec)
#define loose FN(loose)
typedef float vec __attribute__((vector_size(LANES * 4)));
typedef float loose __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

/* a -> the products with the N + 1 rows of a matrix, added to out. */
#define PRODUCT(out, matrix, row, column, a)                                                       \
  for (int i_ = 0; i_ <= N; i_++) {                                                                \
    vec sum_ = (matrix)[i_ * (row)] * (a)[0];                                                      \
    _Pragma("GCC unroll 8") for (int m_ = 1; m_ <= N; m_++) sum_ +=                                \
        (matrix)[i_ * (row) + m_ * (column)] * (a)[m_];                                            \
    (out)[i_] = sum_;                                                                              \
  }

/* Boxes: three one-dimensional stiffness matrices, already divided by the weights. */
static void FN(box)(const Wave *w, int l, const float *inverse_density, const vec (*u)[N + 1][N + 1],
                    vec (*r)[N + 1][N + 1]) {
  const int n = w->order[l];
  const float *Kz = w->stiffness_z + l * 64, *wz = w->weight_z + l * 8;
  const vec lightness = *(const loose *)inverse_density;
  for (int k = 0; k <= n; k++) {
    for (int j = 0; j <= N; j++) PRODUCT(r[k][j], w->stiffness_x, N + 1, 1, u[k][j])
    for (int i = 0; i <= N; i++) {
      vec a[N + 1], b[N + 1];
      for (int j = 0; j <= N; j++) a[j] = u[k][j][i];
      PRODUCT(b, w->stiffness_y, N + 1, 1, a)
      for (int j = 0; j <= N; j++) r[k][j][i] += b[j];
    }
  }
  for (int k = 0; k <= n; k++) {
    const vec weight = lightness * wz[k];
    for (int j = 0; j <= N; j++)
      for (int i = 0; i <= N; i++) {
        vec sum = r[k][j][i];
        for (int m = 0; m <= n; m++) sum += Kz[k * 8 + m] * u[m][j][i];
        r[k][j][i] = sum * (weight * w->weight_xy[j * (N + 1) + i]);
      }
  }
}

/* Any element of a column: slopes, fluxes through the metric, and slopes of the test functions. */
static void FN(column)(const Wave *w, int l, const float *restrict metric,
                       const vec (*u)[N + 1][N + 1], vec (*r)[N + 1][N + 1]) {
  const int n = w->order[l];
  const float *D = w->slopes, *Dz = w->slopes_z + l * 64;
  const float xx = w->per_x * w->per_x, yy = w->per_y * w->per_y;
  vec up[MOST + 1][N + 1][N + 1]; /* flux along the column */
  for (int k = 0; k <= n; k++) {
    vec fx[N + 1][N + 1], fy[N + 1][N + 1];
    for (int i = 0; i <= N; i++) {
      vec a[N + 1], b[N + 1];
      for (int j = 0; j <= N; j++) a[j] = u[k][j][i];
      PRODUCT(b, D, N + 1, 1, a)
      for (int j = 0; j <= N; j++) fy[j][i] = b[j];
    }
    for (int j = 0; j <= N; j++) {
      PRODUCT(fx[j], D, N + 1, 1, u[k][j])
      for (int i = 0; i <= N; i++) {
        vec along = Dz[k * 8] * u[0][j][i];
        for (int m = 1; m <= n; m++) along += Dz[k * 8 + m] * u[m][j][i];
        const float *c = metric + ((k * (N + 1) + j) * (N + 1) + i) * 4 * LANES;
        const vec S = *(const loose *)c, A = *(const loose *)(c + LANES),
                  B = *(const loose *)(c + 2 * LANES), T = *(const loose *)(c + 3 * LANES);
        const vec gx = S * xx * (fx[j][i] - A * along), gy = S * yy * (fy[j][i] - B * along);
        fx[j][i] = gx;
        fy[j][i] = gy;
        up[k][j][i] = T * along - A * gx - B * gy;
      }
    }
    for (int j = 0; j <= N; j++) PRODUCT(r[k][j], D, 1, N + 1, fx[j])
    for (int i = 0; i <= N; i++) {
      vec a[N + 1], b[N + 1];
      for (int j = 0; j <= N; j++) a[j] = fy[j][i];
      PRODUCT(b, D, 1, N + 1, a)
      for (int j = 0; j <= N; j++) r[k][j][i] += b[j];
    }
  }
  for (int k = 0; k <= n; k++)
    for (int j = 0; j <= N; j++)
      for (int i = 0; i <= N; i++) {
        vec sum = r[k][j][i];
        for (int m = 0; m <= n; m++) sum += Dz[m * 8 + k] * up[m][j][i];
        r[k][j][i] = sum;
      }
}

/* Add the stiffness of the row e of layer l to the planes of the layer in `sum`. */
static void FN(row)(const Wave *w, int l, int e, float *const *sum) {
  const int n = w->order[l];
  const size_t line = (size_t)N * w->pitch, plane = line * (w->rows * N + 1);
  const size_t element = ((size_t)l * w->rows + e) * w->pitch;
  vec u[MOST + 1][N + 1][N + 1], r[MOST + 1][N + 1][N + 1];
  for (int x = 0; x < w->elements; x += LANES) {
    const float *p = w->now + w->first[l] * plane + e * N * line + x;
    for (int k = 0; k <= n; k++)
      for (int j = 0; j <= N; j++) {
        const float *at = p + k * plane + j * line;
        for (int i = 0; i < N; i++) u[k][j][i] = *(const vec *)(at + (size_t)i * w->pitch);
        u[k][j][N] = *(const loose *)(at + 1);
      }
    const int64_t metric = w->metric_at[(element + x) / LANES];
    if (metric < 0) FN(box)(w, l, w->inverse_density + element + x, u, r);
    else FN(column)(w, l, w->metric + metric, u, r);
    for (int k = 0; k <= n; k++)
      for (int j = 0; j <= N; j++) {
        float *at = sum[k] + (e * N + j) * line + x;
        for (int i = 0; i < N; i++) *(vec *)(at + (size_t)i * w->pitch) += r[k][j][i];
        *(loose *)(at + 1) += r[k][j][N];
      }
  }
}

/* Step the nodes of lines y0 to y1 of a plane, and clear their sums. */
static void FN(step)(const Wave *w, int plane, int y0, int y1, float *restrict sum) {
  const size_t line = (size_t)N * w->pitch, start = plane * line * (w->rows * N + 1);
  const float *restrict p = w->now + start, *restrict inverse = w->inverse + start;
  const float *restrict keep = w->keep + start;
  float *restrict q = w->then + start;
  for (size_t i = y0 * line; i < y1 * line; i++) {
    q[i] = p[i] + keep[i] * (p[i] - q[i]) - inverse[i] * sum[i];
    sum[i] = 0.0f;
  }
}

#undef PRODUCT
#undef vec
#undef loose
#undef FN
