// SPDX-License-Identifier: Apache-2.0

//go:build cuda && linux && (amd64 || arm64)

#include <dlfcn.h>
#include <stdio.h>

// ol_nvml_temperature opens the management library that comes with the driver, by the
// names of its documented interface, and reads the temperature of the card uuid.
// Returns 0; below 0 if there is no such library; else the library's code.
__attribute__((visibility("hidden"))) int ol_nvml_temperature(const char *path, const char *uuid, unsigned int *celsius, char *text, int size) {
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		snprintf(text, size, "%s", dlerror());
		return -1;
	}
	int (*start)(void) = (int (*)(void))dlsym(library, "nvmlInit_v2");
	int (*find)(const char *, void **) = (int (*)(const char *, void **))dlsym(library, "nvmlDeviceGetHandleByUUID");
	int (*read)(void *, unsigned int, unsigned int *) = (int (*)(void *, unsigned int, unsigned int *))dlsym(library, "nvmlDeviceGetTemperature");
	if (!start || !find || !read) {
		snprintf(text, size, "%s lacks a name: not NVIDIA's management library", path);
		return 1;
	}
	void *card = NULL;
	const char *step = "nvmlInit_v2";
	int code = start();
	if (!code) {
		step = "nvmlDeviceGetHandleByUUID";
		code = find(uuid, &card);
	}
	if (!code) {
		step = "nvmlDeviceGetTemperature";
		code = read(card, 0, celsius); // 0: the sensor of the processor
	}
	if (code) snprintf(text, size, "%s: NVML error %d", step, code);
	return code; // the process ends after it: nothing is shut down
}
