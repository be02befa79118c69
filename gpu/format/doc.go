// SPDX-License-Identifier: Apache-2.0

// Package format reads JSON that others wrote, strictly: the common ground of
// the readers of model files below this folder.
//
// A document is checked once, whole: one value, valid UTF-8, no name twice in
// one object, no lone surrogate, no control character, bounded depth and bounded
// number of names. After that it is walked in place, so that a file of many
// megabytes costs no tree of values. An error names the field.
//
// It refuses what other readers repair or overlook (NaN, a byte order mark,
// bytes behind the value, 1.0 where an integer belongs), because two readers
// that repair differently read two models in one file.
//
//	v, err := format.Parse("config.json", data)
//	err = v.Object(func(key string, v format.Value) error { … })
//
// Spec: TNS-02.
package format
