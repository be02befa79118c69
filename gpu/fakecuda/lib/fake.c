// SPDX-License-Identifier: Apache-2.0

// A driver library without a card: the entry points that this program calls, over
// the process's own memory. See build.go for the environment variables.

#include "tile.h"
#include "tensor.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK 0
#define INVALID_VALUE 1
#define OUT_OF_MEMORY 2
#define INVALID_DEVICE 101
#define INVALID_IMAGE 200
#define INVALID_HANDLE 400
#define NOT_FOUND 500

typedef unsigned long long ptr;

static long env(const char *name, long otherwise) {
	const char *s = getenv(name);
	return s && *s ? atol(s) : otherwise;
}

static size_t memory(void) { return (size_t)env("FAKECUDA_MEMORY", 1L << 30); }
static int devices(void) { return (int)env("FAKECUDA_DEVICES", 1); }

int cuInit(unsigned int flags) {
	while (env("FAKECUDA_INIT", OK) < 0) pause();
	return flags ? INVALID_VALUE : (int)env("FAKECUDA_INIT", OK);
}
int cuDriverGetVersion(int *v) { *v = 12040; return OK; }
int cuGetErrorName(int code, const char **text) { (void)code; *text = "CUDA_ERROR_FAKE"; return OK; }
int cuDeviceGetCount(int *n) { *n = devices(); return OK; }
int cuDeviceGet(int *d, int i) { *d = i; return i >= 0 && i < devices() ? OK : INVALID_DEVICE; }
int cuDeviceGetName(char *s, int n, int d) { snprintf(s, (size_t)n, "fake device %d", d); return OK; }
int cuDeviceGetUuid(unsigned char *u, int d) { memset(u, 0xfa, 16); u[15] = (unsigned char)d; return OK; }
int cuDeviceTotalMem_v2(size_t *n, int d) { (void)d; *n = memory(); return OK; }

int cuDeviceGetAttribute(int *v, int attribute, int d) {
	(void)d;
	switch (attribute) {
	case 1: *v = 1024; break;   // threads per block
	case 5: *v = 2147483647; break;
	case 6: case 7: *v = 65535; break;
	case 8: *v = 48 << 10; break;
	case 10: *v = 32; break;    // lanes of a warp
	case 13: *v = 1000000; break; // kHz
	case 16: *v = 4; break;     // multiprocessors
	case 75: *v = 8; break;     // compute capability
	case 76: *v = 0; break;
	case 97: *v = 99 << 10; break;
	default: *v = 0;
	}
	return OK;
}

// Contexts, streams and events are marks without content.
static int mark;
int cuCtxCreate_v2(void **c, unsigned int flags, int d) { (void)flags; (void)d; *c = &mark; return OK; }
int cuCtxDestroy_v2(void *c) { (void)c; return OK; }
int cuCtxSetCurrent(void *c) { (void)c; return OK; }
int cuCtxGetCurrent(void **c) { *c = &mark; return OK; }
int cuCtxSynchronize(void) { return OK; }
int cuDevicePrimaryCtxRetain(void **c, int d) { (void)d; *c = &mark; return OK; }
int cuDevicePrimaryCtxRelease_v2(int d) { (void)d; return OK; }
int cuStreamCreate(void **s, unsigned int flags) { (void)flags; *s = &mark; return OK; }
int cuStreamDestroy_v2(void *s) { (void)s; return OK; }
int cuStreamSynchronize(void *s) { (void)s; return OK; }
int cuStreamQuery(void *s) { (void)s; return OK; }
int cuEventCreate(void **e, unsigned int flags) { (void)flags; *e = &mark; return OK; }
int cuEventDestroy_v2(void *e) { (void)e; return OK; }
int cuEventRecord(void *e, void *s) { (void)e; (void)s; return OK; }
int cuEventQuery(void *e) { (void)e; return OK; }
int cuEventSynchronize(void *e) { (void)e; return OK; }
int cuEventElapsedTime(float *ms, void *a, void *b) { (void)a; (void)b; *ms = 1; return OK; }

// Memory: each block carries its size before it, so that the sum is known.
static _Atomic size_t used;

int cuMemAlloc_v2(ptr *p, size_t n) {
	if (n == 0) return INVALID_VALUE;
	if (n > memory() || atomic_fetch_add(&used, n) + n > memory()) {
		if (n <= memory()) atomic_fetch_sub(&used, n);
		return OUT_OF_MEMORY;
	}
	char *b = NULL;
	if (posix_memalign((void **)&b, 256, n + 256)) { atomic_fetch_sub(&used, n); return OUT_OF_MEMORY; }
	*(size_t *)b = n;
	memset(b + 256, 0xff, n); // a card's memory holds anything: NaN is the worst
	*p = (ptr)(uintptr_t)(b + 256);
	return OK;
}

int cuMemFree_v2(ptr p) {
	if (!p) return INVALID_VALUE;
	char *b = (char *)(uintptr_t)p - 256;
	atomic_fetch_sub(&used, *(size_t *)b);
	free(b);
	return OK;
}

int cuMemGetInfo_v2(size_t *left, size_t *total) { *total = memory(); *left = memory() - used; return OK; }
int cuMemHostAlloc(void **p, size_t n, unsigned int flags) { (void)flags; *p = malloc(n); return *p ? OK : OUT_OF_MEMORY; }
int cuMemFreeHost(void *p) { free(p); return OK; }
int cuMemcpyHtoD_v2(ptr d, const void *s, size_t n) { memcpy((void *)(uintptr_t)d, s, n); return OK; }
int cuMemcpyDtoH_v2(void *d, ptr s, size_t n) { memcpy(d, (void *)(uintptr_t)s, n); return OK; }
int cuMemcpyDtoD_v2(ptr d, ptr s, size_t n) { memmove((void *)(uintptr_t)d, (void *)(uintptr_t)s, n); return OK; }
int cuMemcpyHtoDAsync_v2(ptr d, const void *s, size_t n, void *q) { (void)q; return cuMemcpyHtoD_v2(d, s, n); }
int cuMemcpyDtoHAsync_v2(void *d, ptr s, size_t n, void *q) { (void)q; return cuMemcpyDtoH_v2(d, s, n); }
int cuMemcpyDtoDAsync_v2(ptr d, ptr s, size_t n, void *q) { (void)q; return cuMemcpyDtoD_v2(d, s, n); }
int cuMemsetD8_v2(ptr d, unsigned char v, size_t n) { memset((void *)(uintptr_t)d, v, n); return OK; }

// Kernels run by name: those of prim.h do their items one after the other, those
// whose threads work together run as written, block by block.
typedef void (*body)(const u64 *a, const void *const *x, void *y, u64 i);
typedef void (*together)(u64, u64, u64, u64, u64, u64, u64, u64, const void *, const void *, const void *, const void *,
	const void *, const void *, void *, u64, u64);
typedef struct { const char *name; body item; together block; } kernel;

#define ITEM(name) {"ol_" #name, k_##name, NULL},
#define BLOCK(name) {"ol_" #name, NULL, ol_##name},
static void k_peak(const u64 *a, const void *const *x, void *y, u64 i) { // an item is a block
	(void)x;
	for (u32 t = 0; t < 256; t++) {
		float v[32], p = 1.0f - (float)t * fbits(0x33800000u), s = 0.0f;
		for (u32 k = 0; k < 32; k++) v[k] = (float)k;
		for (u64 r = 0; r < a[0]; r++)
			for (u32 k = 0; k < 32; k++) v[k] = FMA(v[k], p, p);
		for (u32 k = 0; k < 32; k++) s = s + v[k];
		((float *)y)[i * 256 + t] = s;
	}
}
static const kernel kernels[] = {OPS(ITEM) TILED(BLOCK) BLOCK(gemm_thin) BLOCK(gemm_i8_thin) BLOCK(gemm_nbelow) BLOCK(gemm_kbelow) BLOCK(gemm_kfrom) BLOCK(gemm_i8_tensor) ITEM(peak)};

// What the fibers of a launch run.
static together now;
static const u64 *now_p;
static const void *const *now_x;
static void entry(void) {
	const u64 *p = now_p;
	const void *const *x = now_x;
	now(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], x[0], x[1], x[2], x[3], x[4], x[5], (void *)(uintptr_t)p[14], p[15], p[16]);
}

int cuModuleLoadData(void **module, const void *image) {
	if (env("FAKECUDA_LOAD", OK)) return (int)env("FAKECUDA_LOAD", OK);
	if (!strstr(image, ".target sm_")) return INVALID_IMAGE;
	*module = (void *)image; // never freed by our program while it is used
	return OK;
}
// Of the options it knows the log of errors: 5 is its address, 6 its size.
int cuModuleLoadDataEx(void **module, const void *image, unsigned int n, int *options, void **values) {
	int code = cuModuleLoadData(module, image);
	char *log = NULL;
	size_t size = 0;
	for (unsigned int i = 0; i < n; i++) {
		if (options[i] == 5) log = values[i];
		if (options[i] == 6) size = (size_t)(uintptr_t)values[i];
	}
	if (code && log) snprintf(log, size, "line 9: the stand-in knows no such instruction\n");
	return code;
}
int cuModuleUnload(void *module) { (void)module; return OK; }

int cuModuleGetFunction(void **f, void *module, const char *name) {
	if (!module) return INVALID_HANDLE;
	for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
		if (!strcmp(kernels[i].name, name)) {
			*f = (void *)&kernels[i];
			return OK;
		}
	return NOT_FOUND;
}

static _Atomic long launches;

int cuLaunchKernel(void *f, unsigned int gx, unsigned int gy, unsigned int gz, unsigned int bx, unsigned int by, unsigned int bz,
		unsigned int shared, void *stream, void **params, void **extra) {
	(void)shared; (void)stream; (void)extra;
	if (!f || !gx || !gy || !gz || !bx || bx * by * bz > 1024) return INVALID_VALUE;
	u64 p[17];
	for (int i = 0; i < 17; i++) p[i] = *(u64 *)params[i];
	const kernel *k = f;
	const void *x[6];
	for (int i = 0; i < 6; i++) x[i] = (const void *)(uintptr_t)p[8 + i];
	void *y = (void *)(uintptr_t)p[14];
	const char *once = getenv("FAKECUDA_ONCE");
	int fault = atomic_fetch_add(&launches, 1) >= env("FAKECUDA_AFTER", 0) && (!once || !*once || access(once, F_OK) == 0);
	if (fault && env("FAKECUDA_ABORT", 0)) abort();
	while (fault && env("FAKECUDA_HANG", 0)) pause();
	if (fault && env("FAKECUDA_LAUNCH", OK)) return (int)env("FAKECUDA_LAUNCH", OK);
	if (k->block) {
		now = k->block, now_p = p, now_x = x;
		run_grid(gx, bx, entry);
	} else {
		for (u64 i = p[15]; i < p[15] + p[16]; i++) k->item(p, x, y, i);
	}
	if (fault && env("FAKECUDA_FLIP", 0)) *(u8 *)y ^= 1;
	return OK;
}
