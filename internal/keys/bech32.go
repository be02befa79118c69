// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"errors"
	"strings"
)

// Bech32m as in BIP-350, lower case only: one text per address.
const (
	bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	bech32mConst   = 0x2bc830a3
	bech32MaxLen   = 90
	bech32Checksum = 6 // characters
)

var (
	errBech32Form = errors.New("not of the form prefix, 1, letters and digits in lower case")
	errBech32Sum  = errors.New("checksum does not match, a character is wrong or missing")
	errBech32Pad  = errors.New("stray bits at the end")
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
	out := make([]byte, 0, 2*len(hrp)+1)
	for i := range len(hrp) {
		out = append(out, hrp[i]>>5)
	}
	out = append(out, 0)
	for i := range len(hrp) {
		out = append(out, hrp[i]&31)
	}
	return out
}

// regroup converts between groups of from and to bits. With pad the rest is
// filled with zero bits; without, ok says that the rest is less than a group
// and all zero.
func regroup(data []byte, from, to uint, pad bool) (out []byte, ok bool) {
	var acc uint32
	var n uint
	for _, b := range data {
		acc = acc<<from | uint32(b)
		n += from
		for n >= to {
			n -= to
			out = append(out, byte(acc>>n&(1<<to-1)))
		}
		acc &= 1<<n - 1
	}
	if pad {
		if n > 0 {
			out = append(out, byte(acc<<(to-n)&(1<<to-1)))
		}
		return out, true
	}
	return out, n < from && acc == 0
}

func encodeBech32m(hrp string, data []byte) string {
	five, _ := regroup(data, 8, 5, true)
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

func decodeBech32m(s string) (hrp string, data []byte, err error) {
	cut := strings.LastIndexByte(s, '1')
	if len(s) > bech32MaxLen || cut < 1 || len(s)-cut-1 < bech32Checksum {
		return "", nil, errBech32Form
	}
	hrp = s[:cut]
	for i := range cut {
		if c := hrp[i]; c < 33 || c > 126 || (c >= 'A' && c <= 'Z') {
			return "", nil, errBech32Form
		}
	}
	var five []byte
	for i := cut + 1; i < len(s); i++ {
		v := strings.IndexByte(bech32Alphabet, s[i])
		if v < 0 {
			return "", nil, errBech32Form
		}
		five = append(five, byte(v))
	}
	if polymod(append(expandHRP(hrp), five...)) != bech32mConst {
		return "", nil, errBech32Sum
	}
	data, ok := regroup(five[:len(five)-bech32Checksum], 5, 8, false)
	if !ok {
		return "", nil, errBech32Pad
	}
	return hrp, data, nil
}
