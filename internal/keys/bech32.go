// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"errors"
	"strings"
)

// Bech32m of BIP-350.
const (
	bech32Alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	bech32mConst   = 0x2bc830a3
	bech32MaxLen   = 90
)

var errBech32 = errors.New("not bech32m")

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

// regroup converts between groups of from and to bits; pad as in BIP-173.
func regroup(data []byte, from, to uint, pad bool) ([]byte, bool) {
	var acc uint32
	var n uint
	var out []byte
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
	sum := polymod(append(append(expandHRP(hrp), five...), 0, 0, 0, 0, 0, 0)) ^ bech32mConst
	var sb strings.Builder
	sb.WriteString(hrp)
	sb.WriteByte('1')
	for _, v := range five {
		sb.WriteByte(bech32Alphabet[v])
	}
	for i := range 6 {
		sb.WriteByte(bech32Alphabet[sum>>(5*(5-i))&31])
	}
	return sb.String()
}

func decodeBech32m(s string) (string, []byte, error) {
	if len(s) > bech32MaxLen || strings.ToLower(s) != s {
		return "", nil, errBech32
	}
	cut := strings.LastIndexByte(s, '1')
	if cut < 1 || len(s)-cut-1 < 6 {
		return "", nil, errBech32
	}
	hrp := s[:cut]
	var five []byte
	for i := cut + 1; i < len(s); i++ {
		v := strings.IndexByte(bech32Alphabet, s[i])
		if v < 0 {
			return "", nil, errBech32
		}
		five = append(five, byte(v))
	}
	if polymod(append(expandHRP(hrp), five...)) != bech32mConst {
		return "", nil, errBech32
	}
	data, ok := regroup(five[:len(five)-6], 5, 8, false)
	if !ok {
		return "", nil, errBech32
	}
	return hrp, data, nil
}
