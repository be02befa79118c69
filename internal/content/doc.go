// SPDX-License-Identifier: Apache-2.0

// Package content names bytes by their hash and lets a stranger check them
// piece by piece.
//
// An [ID] is a multihash of 34 bytes: BLAKE3 for bulk content, SHA2-256 for
// small documents. For BLAKE3 content the package also exposes the hash tree:
// content is cut into units of 64 KiB, a page carries the chaining values of
// up to 1,024 consecutive units with the path to the root, and each unit can
// be checked against its page before it is written anywhere. The tree is the
// standard BLAKE3 tree, so the root is the plain BLAKE3 hash of the bytes.
//
// It refuses every multihash code but two, every length but 32, content above
// [MaxSize], and pages or units whose shape does not follow from the size.
//
// The main types are [ID], [Hasher] (bytes in, [Tree] out), [Page] (wire form)
// and [Verified] (a page that was checked).
//
//	h := content.NewHasher()
//	h.Write(data)
//	tree := h.Tree()                                    // provider
//	page, _ := tree.Page(0)
//	v, err := content.VerifyPage(id, size, page)        // fetcher
//	err = v.VerifyUnit(7, unit)                         // before writing unit 7
//
// Spec: ENC-04, P2P-13, TNS-01 (tree).
package content
