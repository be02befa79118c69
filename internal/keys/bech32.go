// SPDX-License-Identifier: Apache-2.0

package keys

import "strings"

// Bech32m as in BIP-350, lower case only: one text per address.
const (
	bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	bech32mConst   = 0x2bc830a3
	bech32Checksum = 6 // characters
)

// polymod is the checksum polynomial of BIP-173 over five-bit values.
func polymod(values []byte) uint32 {
	gen := [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3}
	chk := uint32(1)
	for _, v := range values {
		top := chk >> 25
		chk = (chk&0x1ffffff)<<5 ^ uint32(v)
		for i := range gen {
			if top>>i&1 == 1 {
				chk ^= gen[i]
			}
		}
	}
	return chk
}

// expandHRP spreads the prefix for the checksum: high bits, zero, low bits.
func expandHRP(hrp string) []byte {
	var out []byte
	for i := range len(hrp) {
		out = append(out, hrp[i]>>5)
	}
	out = append(out, 0)
	for i := range len(hrp) {
		out = append(out, hrp[i]&31)
	}
	return out
}

// toFive cuts bytes into five-bit values; the last is filled with zero bits.
func toFive(data []byte) []byte {
	out := make([]byte, (8*len(data)+4)/5)
	for i := range 8 * len(data) {
		bit := data[i/8] >> (7 - i%8) & 1
		out[i/5] |= bit << (4 - i%5)
	}
	return out
}

// fromFive joins five-bit values into bytes and drops the bits left over.
func fromFive(five []byte) []byte {
	out := make([]byte, 5*len(five)/8)
	for i := range 8 * len(out) {
		bit := five[i/5] >> (4 - i%5) & 1
		out[i/8] |= bit << (7 - i%8)
	}
	return out
}

// encodeBech32m writes prefix, separator, data and checksum.
func encodeBech32m(hrp string, data []byte) string {
	five := toFive(data)
	padded := append(append(expandHRP(hrp), five...), make([]byte, bech32Checksum)...)
	sum := polymod(padded) ^ bech32mConst
	var sb strings.Builder
	sb.WriteString(hrp)
	sb.WriteByte('1')
	for _, v := range five {
		sb.WriteByte(bech32Alphabet[v])
	}
	for i := range bech32Checksum {
		sb.WriteByte(bech32Alphabet[sum>>(5*(bech32Checksum-1-i))&31])
	}
	return sb.String()
}
