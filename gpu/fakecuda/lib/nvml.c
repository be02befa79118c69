// SPDX-License-Identifier: Apache-2.0

// A stand-in for the management library: every card has FAKECUDA_TEMPERATURE °C.
#include <stdlib.h>
#include <string.h>

int nvmlInit_v2(void) { return 0; }

int nvmlDeviceGetHandleByUUID(const char *uuid, void **card) {
	if (strncmp(uuid, "GPU-", 4)) return 6; // NVML_ERROR_NOT_FOUND
	*card = (void *)uuid;
	return 0;
}

int nvmlDeviceGetTemperature(void *card, unsigned int sensor, unsigned int *celsius) {
	const char *t = getenv("FAKECUDA_TEMPERATURE");
	if (!card || sensor || !t) return 3; // NVML_ERROR_NOT_SUPPORTED
	*celsius = (unsigned int)strtol(t, NULL, 10);
	return 0;
}
