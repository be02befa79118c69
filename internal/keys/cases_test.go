// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/enc"
)

// Signatures by seed 00..1f over "mixed order", made with the few lines of
// Ed25519 in docs/spec/vectors/check.py: mixedA signs for a public key with an
// added point of order 8, mixedR has such a point in R. Only the cofactored
// equation of ZIP-215 accepts them.
const (
	mixedAKey = "b502ff3d92e31d8190b4aa4ea0414005167fad089c4de9dac8a2fc850fed4f58"
	mixedASig = "b31b20f50426242514d81b383548bd90de72fd0b8cf2382a88f9f52ce5076b23b2cba5712e7b2a231035cebb5c051bd9ee35816bae3444cc423ef3a5bbb7ca0d"
	mixedRSig = "186ed2bdbd1a36f6437c5168b0221914018ea4f32a1c3fcd1c1794d64fbd596e286a34dd11aaa1b0e65d792f236157619a7b52e599aa52874c66ff61aa8c410e"
	goodSig   = "b31b20f50426242514d81b383548bd90de72fd0b8cf2382a88f9f52ce5076b23105ab86dbeeea1d6bd4ce8d1cfdf820376a2c925e0f3bbd1af192c06d49f7f03"
	bigSSig   = "b31b20f50426242514d81b383548bd90de72fd0b8cf2382a88f9f52ce5076b23fd2daecad851b42e94e9df74aed9611876a2c925e0f3bbd1af192c06d49f7f13" // S + L
	offCurve  = "0200000000000000000000000000000000000000000000000000000000000000"
)

// smallOrder lists every encoding of the 8 points of small order that
// decompresses: 8 canonical ones, then 6 others.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

func seed0() (s [32]byte) {
	for i := range s {
		s[i] = byte(i)
	}
	return s
}

func filled(b byte) (a [32]byte) {
	for i := range a {
		a[i] = b
	}
	return a
}

func allVectors(t *testing.T) vectors {
	t.Helper()
	v := vectors{
		About: "Keys, addresses, authorisations, domains. first is the first vector of ENC-06. items of a domain vector are encodings. " +
			"Signatures follow ZIP-215; every pair (A, R) of small_order with S = 0 is a valid signature of small_order_message. " +
			"usable says whether a new auth may hold the key.",
		Clauses:      []string{"ENC-05", "ENC-06", "KEY-01", "KEY-02"},
		First:        first(),
		Domains:      domainCases(),
		Auths:        authCases(),
		BadAuths:     badAuths(),
		BadText:      badText(),
		PublicKeys:   keyCases(),
		Signatures:   signatureCases(),
		SmallMessage: "Zcash",
	}
	for _, s := range smallOrder {
		v.SmallOrder = append(v.SmallOrder, PublicKey(unhex(s)))
	}
	for _, name := range []string{"treasury", "burned", "tasks", "channels", ""} {
		a := ModuleAddress(name)
		v.Modules = append(v.Modules, moduleVector{name, hex.EncodeToString(a[:]), a})
	}
	return v
}

func first() firstVector {
	key := FromSeed(seed0())
	auth := SingleAuth(key.Public())
	sender, chain, to := auth.Address(), filled(0x11), filled(0x22)
	body := []any{0x0101, sender, 0, 20_000, 0, 100, nil, []any{to, 1_500_000_000, []byte{}}}
	msg := Dom(DomainTx, chain, body)
	sig := key.Sign(msg)
	signed := enc.Encode([]any{1, body, auth, []any{[]any{0, 0, sig}}})
	id, sum, seed := Sum(DomainTxID, chain, body), sha256.Sum256(signed), seed0()
	return firstVector{
		Seed: hex.EncodeToString(seed[:]), ChainID: hex.EncodeToString(chain[:]), Public: key.Public(),
		AddressHex: hex.EncodeToString(sender[:]), Address: sender, Body: hex.EncodeToString(enc.Encode(body)),
		SignBytes: hex.EncodeToString(msg), TxID: hex.EncodeToString(id[:]), Signature: sig,
		Signed: hex.EncodeToString(signed), SignedHash: hex.EncodeToString(sum[:]),
	}
}

func domainCases() []domainVector {
	var out []domainVector
	add := func(name string, d Domain, xs ...any) {
		sum := Sum(d, xs...)
		v := domainVector{Name: name, Domain: d, Items: []string{}, Bytes: hex.EncodeToString(Dom(d, xs...)), SHA256: hex.EncodeToString(sum[:])}
		for _, x := range xs {
			v.Items = append(v.Items, hex.EncodeToString(enc.Encode(x)))
		}
		out = append(out, v)
	}
	add("a domain over nothing", DomainSeed)
	add("an object id", DomainID, filled(3), 0x0301, 0)
	add("one byte string is not two", DomainManifest, []byte("ab"))
	add("two byte strings are not one", DomainManifest, []byte("a"), []byte("b"))
	add("a list is one item", DomainManifest, []any{[]byte("a"), []byte("b")})
	add("an absent optional", DomainManifest, nil)
	return out
}

func testKeys(n int) []PublicKey {
	var out []PublicKey
	for i := range n {
		out = append(out, FromSeed(filled(byte(i+1))).Public())
	}
	slices.SortFunc(out, PublicKey.Compare)
	return out
}

func authCases() []authVector {
	var out []authVector
	add := func(name string, a Auth) {
		addr := a.Address()
		out = append(out, authVector{name, a.Threshold, a.Keys, hex.EncodeToString(enc.Encode(a)), hex.EncodeToString(addr[:]), addr})
	}
	add("one key", SingleAuth(FromSeed(seed0()).Public()))
	add("one of one is another auth than one key", Auth{Threshold: 1, Keys: testKeys(1)})
	add("two of three", Auth{Threshold: 2, Keys: testKeys(3)})
	add("sixteen of sixteen", Auth{Threshold: 16, Keys: testKeys(16)})
	return out
}

func badAuths() []hexVector {
	k := testKeys(17)
	e := func(v ...any) string { return hex.EncodeToString(enc.Encode(v)) }
	return []hexVector{
		{"an empty array", e()},
		{"a single key without the key", e(0)},
		{"a single key with two keys", e(0, k[0], k[1])},
		{"a single key of 31 bytes", e(0, make([]byte, 31))},
		{"a single key of 33 bytes", e(0, make([]byte, 33))},
		{"a single key that is null", e(0, nil)},
		{"a list where a key belongs", e(0, k[:1])},
		{"kind 2", e(2, k[0])},
		{"kind 2 with a threshold", e(2, 1, k[:1])},
		{"threshold 0", e(1, 0, k[:2])},
		{"threshold above the keys", e(1, 3, k[:2])},
		{"no keys", e(1, 1, []PublicKey{})},
		{"seventeen keys", e(1, 1, k)},
		{"descending keys", e(1, 1, []PublicKey{k[1], k[0]})},
		{"a repeated key", e(1, 1, []PublicKey{k[0], k[0]})},
		{"a threshold of 2^64-1", e(1, ^uint64(0), k[:2])},
		{"null", "f6"},
		{"a byte string", "41" + "00"},
		{"kind in two bytes", "82" + "1800" + "5820" + strings.Repeat("01", 32)},
		{"a trailing byte", e(0, k[0]) + "00"},
	}
}

func badText() []textVector {
	good := Address(filled(7)).String()
	swap := func(i int, c byte) string { b := []byte(good); b[i] = c; return string(b) }
	other := "q"
	if good[10:11] == other {
		other = "p"
	}
	five := toFive(bytes.Repeat([]byte{7}, 32))
	plain := bytes.Clone(five)
	five[len(five)-1] |= 1 // the last of four padding bits
	return []textVector{
		{"no text", ""},
		{"only the prefix", "open1"},
		{"no separator", strings.Replace(good, "open1", "open", 1)},
		{"another prefix", encodeBech32m("topen", bytes.Repeat([]byte{7}, 32))},
		{"an empty prefix", encodeBech32m("", bytes.Repeat([]byte{7}, 32))},
		{"a wrong character", swap(10, other[0])},
		{"a letter that the alphabet lacks", swap(10, 'b')},
		{"a wrong last character", swap(len(good)-1, good[len(good)-2]^1)},
		{"a character too few", good[:len(good)-1]},
		{"a character too many", good + "q"},
		{"upper case", strings.ToUpper(good)},
		{"mixed case", "Open" + good[4:]},
		{"a blank before", " " + good},
		{"a line end after", good + "\n"},
		{"31 bytes", encodeBech32m(HRP, bytes.Repeat([]byte{7}, 31))},
		{"33 bytes", encodeBech32m(HRP, bytes.Repeat([]byte{7}, 33))},
		{"stray padding bits", bech32Text(HRP, five, bech32mConst)},
		{"the checksum of bech32, not bech32m", bech32Text(HRP, plain, 1)},
		{"hex", "0x" + strings.Repeat("07", 32)},
		{"a letter beyond ASCII", "opén1" + good[5:]},
	}
}

// bech32Text writes five-bit values with a checksum constant of choice.
func bech32Text(hrp string, five []byte, constant uint32) string {
	sum := polymod(append(append(expandHRP(hrp), five...), make([]byte, bech32Checksum)...)) ^ constant
	out := hrp + "1"
	for _, v := range five {
		out += bech32Alphabet[v : v+1]
	}
	for i := range bech32Checksum {
		v := sum >> (5 * (5 - i)) & 31
		out += bech32Alphabet[v : v+1]
	}
	return out
}

func keyCases() []keyVector {
	out := []keyVector{
		{"the key of seed 00..1f", FromSeed(seed0()).Public(), true},
		{"a point of mixed order", PublicKey(unhex(mixedAKey)), true},
		{"no point of the curve", PublicKey(unhex(offCurve)), false},
	}
	for i, s := range smallOrder {
		name := "small order, canonical, number "
		if i >= 8 {
			name = "small order, not canonical, number "
		}
		out = append(out, keyVector{name + string(rune('a'+i)), PublicKey(unhex(s)), false})
	}
	// y = p + 3 is the point with y = 3, which has large order.
	big := unhex("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
	return append(out, keyVector{"large order, not canonical", PublicKey(big), false},
		keyVector{"the same point, canonical", PublicKey(unhex("03" + strings.Repeat("00", 31))), true})
}

func signatureCases() []sigVector {
	key := FromSeed(seed0())
	pk, msg := key.Public(), "mixed order"
	var out []sigVector
	add := func(name string, pk PublicKey, msg string, sig []byte, valid bool) {
		out = append(out, sigVector{name, pk, hex.EncodeToString([]byte(msg)), Signature(sig), valid})
	}
	own := key.Sign([]byte(msg))
	add("a signature by the RFC 8032 procedure", pk, msg, own[:], true)
	empty := key.Sign(nil)
	add("a signature of nothing", pk, "", empty[:], true)
	add("a signature with another secret nonce", pk, msg, unhex(goodSig), true)
	add("a public key of mixed order", PublicKey(unhex(mixedAKey)), msg, unhex(mixedASig), true)
	add("an R of mixed order", pk, msg, unhex(mixedRSig), true)
	add("S plus the group order", pk, msg, unhex(bigSSig), false)
	add("another message", pk, msg+".", own[:], false)
	add("another key", FromSeed(filled(1)).Public(), msg, own[:], false)
	add("R is no point", pk, msg, append(unhex(offCurve), own[32:]...), false)
	add("the key is no point", PublicKey(unhex(offCurve)), msg, own[:], false)
	add("S is zero", pk, msg, append(own[:32:32], make([]byte, 32)...), false)
	add("all zero", pk, msg, make([]byte, 64), false)
	flipped := own
	flipped[63] ^= 0x80
	add("the top bit of S", pk, msg, flipped[:], false)
	flipped = own
	flipped[31] ^= 0x80
	add("the sign bit of R", pk, msg, flipped[:], false)
	return out
}
