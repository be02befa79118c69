// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include "cuda.h"

extern const char *const ol_cuda_names[];
extern void *ol_cuda_slots[];

// gorgonia.org/cu calls cuInit when its package starts and ends the process if it
// fails. This one answers "fine" and does nothing; ol_cuda_open calls the real one.
__attribute__((visibility("hidden"))) CUresult cuInit(unsigned int flags) {
	(void)flags;
	return CUDA_SUCCESS;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int opened, absent;

// Returns 0; below 0 if there is no such library; above 0 the reason why it does not start.
static int bind(const char *path, char *text, int size) {
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		snprintf(text, size, "%s", dlerror());
		return -1;
	}
	CUresult (*init)(unsigned int) = (CUresult (*)(unsigned int))dlsym(library, "cuInit");
	if (!init) {
		snprintf(text, size, "%s has no cuInit: not a CUDA driver", path);
		return 1;
	}
	int code = (int)init(0);
	if (code) { // a library that was started is never unloaded
		snprintf(text, size, "cuInit: CUDA error %d", code);
		return code;
	}
	for (int i = 0; ol_cuda_names[i]; i++) {
		void *entry = dlsym(library, ol_cuda_names[i]);
		absent += entry == NULL;
		__atomic_store_n(&ol_cuda_slots[i], entry, __ATOMIC_RELEASE);
	}
	opened = 1;
	return 0;
}

__attribute__((visibility("hidden"))) int ol_cuda_open(const char *path, char *text, int size, int *missing) {
	pthread_mutex_lock(&lock);
	int code = opened ? 0 : bind(path, text, size);
	*missing = absent;
	pthread_mutex_unlock(&lock);
	return code;
}
