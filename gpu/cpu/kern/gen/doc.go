// SPDX-License-Identifier: Apache-2.0

// Package gen writes the assembly of package kern, its declarations and the list
// of its operations: each kernel once, for both vector widths.
//
// All but this file has the build tag kerngen, so that a build of the node
// never compiles the assembler library. "make kernels" writes the files, "make
// kernels-check" compares them with the tree.
package gen
