// SPDX-License-Identifier: Apache-2.0

//go:build !mutant

package consensus

func broken(mutation) bool { return false }
