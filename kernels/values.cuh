// Reads and writes values of the network's maps, stored in half or single precision, as single precision.
#pragma once
#include "prims.cuh"

namespace {

DEV float number(half_t v) { return h2f(v); }
DEV float number(float v) { return v; }
DEV void put(half_t* to, float v) { *to = f2h(v); }
DEV void put(float* to, float v) { *to = v; }

DEV void load8(float (&v)[8], const float* from) {
  const float4 a = reinterpret_cast<const float4*>(from)[0], b = reinterpret_cast<const float4*>(from)[1];
  v[0] = a.x; v[1] = a.y; v[2] = a.z; v[3] = a.w; v[4] = b.x; v[5] = b.y; v[6] = b.z; v[7] = b.w;
}
DEV void load8(float (&v)[8], const half_t* from) {
  const uint4 a = *reinterpret_cast<const uint4*>(from);
  const u32 pairs[4] = {a.x, a.y, a.z, a.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    v[2 * i] = h2f({(u16)(pairs[i] & 0xffff)});
    v[2 * i + 1] = h2f({(u16)(pairs[i] >> 16)});
  }
}

DEV void store4(float* to, const float (&v)[4]) {
  *reinterpret_cast<float4*>(to) = make_float4(v[0], v[1], v[2], v[3]);
}
DEV void store8(float* to, const float (&v)[8]) {
  reinterpret_cast<float4*>(to)[0] = make_float4(v[0], v[1], v[2], v[3]);
  reinterpret_cast<float4*>(to)[1] = make_float4(v[4], v[5], v[6], v[7]);
}
DEV void store8(half_t* to, const float (&v)[8]) {
  *reinterpret_cast<uint4*>(to) =
      make_uint4(pack2(v[0], v[1]), pack2(v[2], v[3]), pack2(v[4], v[5]), pack2(v[6], v[7]));
}

}  // namespace
