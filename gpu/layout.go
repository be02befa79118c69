// SPDX-License-Identifier: Apache-2.0

package gpu

import (
	"encoding/binary"

	"github.com/openledger/openledger/internal/fx"
)

// Load returns element i of little-endian elements of type t, in the form of
// fx.Read. Spec: FX-01.
func Load(t fx.Type, b []byte, i uint64) uint32 {
	switch t.Size() {
	case 1:
		return uint32(int32(int8(b[i])))
	case 2:
		return uint32(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return binary.LittleEndian.Uint32(b[4*i:])
}

// Store writes element i of little-endian elements of type t. Spec: FX-01.
func Store(t fx.Type, b []byte, i uint64, v uint32) {
	switch t.Size() {
	case 1:
		b[i] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(b[2*i:], uint16(v))
	default:
		binary.LittleEndian.PutUint32(b[4*i:], v)
	}
}
