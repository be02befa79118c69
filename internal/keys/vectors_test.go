// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/openledger/openledger/internal/enc"
)

var update = flag.Bool("update", false, "write docs/spec/vectors/addr.json instead of comparing")

const vectorFile = "../../docs/spec/vectors/addr.json"

type vectors struct {
	About        string         `json:"about"`
	Clauses      []string       `json:"clauses"`
	First        firstVector    `json:"first"`
	Domains      []domainVector `json:"domains"`
	Modules      []moduleVector `json:"modules"`
	Auths        []authVector   `json:"auths"`
	BadAuths     []hexVector    `json:"invalid_auths"`
	BadText      []textVector   `json:"invalid_text"`
	PublicKeys   []keyVector    `json:"public_keys"`
	Signatures   []sigVector    `json:"signatures"`
	SmallOrder   []PublicKey    `json:"small_order"`
	SmallMessage string         `json:"small_order_message"`
}

// firstVector is the first vector of ENC-06, with the bytes in between.
type firstVector struct {
	Seed       string    `json:"seed"`
	ChainID    string    `json:"chain_id"`
	Public     PublicKey `json:"public_key"`
	AddressHex string    `json:"address_hex"`
	Address    Address   `json:"address"`
	Body       string    `json:"body"`
	SignBytes  string    `json:"sign_bytes"`
	TxID       string    `json:"txid"`
	Signature  Signature `json:"signature"`
	Signed     string    `json:"signed"`
	SignedHash string    `json:"signed_sha256"`
}

type domainVector struct {
	Name   string   `json:"name"`
	Domain Domain   `json:"domain"`
	Items  []string `json:"items"` // encodings of x…
	Bytes  string   `json:"bytes"`
	SHA256 string   `json:"sha256"`
}

type moduleVector struct {
	Module     string  `json:"module"`
	AddressHex string  `json:"address_hex"`
	Address    Address `json:"address"`
}

type authVector struct {
	Name       string      `json:"name"`
	Threshold  uint64      `json:"threshold"`
	Keys       []PublicKey `json:"keys"`
	Hex        string      `json:"hex"`
	AddressHex string      `json:"address_hex"`
	Address    Address     `json:"address"`
}

type hexVector struct {
	Name string `json:"name"`
	Hex  string `json:"hex"`
}

type textVector struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

type keyVector struct {
	Name   string    `json:"name"`
	Public PublicKey `json:"public_key"`
	Usable bool      `json:"usable"`
}

type sigVector struct {
	Name      string    `json:"name"`
	Public    PublicKey `json:"public_key"`
	Message   string    `json:"message"`
	Signature Signature `json:"signature"`
	Valid     bool      `json:"valid"`
}

func TestENC06VectorsAreCurrent(t *testing.T) {
	text, err := json.MarshalIndent(allVectors(t), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	if *update {
		if err := os.WriteFile(vectorFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, text) {
		t.Fatalf("%s differs from the cases in this test; review and run go test ./internal/keys -update", vectorFile)
	}
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	text, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestENC06FirstVector holds the constants of the specification itself.
func TestENC06FirstVector(t *testing.T) {
	v := readVectors(t).First
	for name, c := range map[string][2]string{
		"public key": {v.Public.String()[2:], "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"},
		"address":    {v.AddressHex, "5a736aadb0c2f09cc9a23775c9a2ece846347d497cdb82006386cfb7fb0b67bb"},
		"body":       {v.Body, "8819010158205a736aadb0c2f09cc9a23775c9a2ece846347d497cdb82006386cfb7fb0b67bb00194e20001864f683582022222222222222222222222222222222222222222222222222222222222222221a59682f0040"},
		"tx id":      {v.TxID, "53e786d87740cefdf446c2471bdeb2b6398ba97530aa01abef68e51f39db453e"},
		"signature":  {v.Signature.String()[2:], "e145317d611bb89792d2481a8fd34b78600e0caf8a2e2252bc66fb88c6f4df68ce2bdcccc4343fa621ca784ad48726b4385acad36640a476ab4b74e1d79f2c0b"},
		"signed":     {v.SignedHash, "0e6cd981eac1c3f80fe1967b23b41c65e4c70a4fce252cda71dbbaa4cc8ec11c"},
	} {
		if c[0] != c[1] {
			t.Errorf("%s is %s, the specification says %s", name, c[0], c[1])
		}
	}
	if len(v.Body) != 2*87 || len(v.Signed) != 2*195 {
		t.Errorf("body of %d and signed of %d bytes, the specification says 87 and 195", len(v.Body)/2, len(v.Signed)/2)
	}
}

func TestKEY02AuthVectors(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.Auths {
		var a Auth
		if err := enc.Decode(unhex(c.Hex), &a); err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if a.Threshold != c.Threshold || len(a.Keys) != len(c.Keys) || a.Address() != c.Address {
			t.Errorf("%s: decoded as %v, address %v", c.Name, a, a.Address())
		}
		if hex.EncodeToString(enc.Encode(a)) != c.Hex {
			t.Errorf("%s: encodes to %x", c.Name, enc.Encode(a))
		}
		if back, err := ParseAddress(c.Address.String()); err != nil || hex.EncodeToString(back[:]) != c.AddressHex {
			t.Errorf("%s: address came back as %x, %v", c.Name, back, err)
		}
	}
	for _, c := range v.BadAuths {
		if err := enc.Decode(unhex(c.Hex), new(Auth)); !errors.Is(err, enc.ErrMalformed) && !errors.Is(err, enc.ErrNonCanonical) {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

func TestKEY02AddressTextIsRefused(t *testing.T) {
	for _, c := range readVectors(t).BadText {
		if a, err := ParseAddress(c.Text); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: read as %v, %v", c.Name, a, err)
		}
	}
}

func TestKEY01SignatureVectors(t *testing.T) {
	v := readVectors(t)
	for _, c := range v.Signatures {
		if got := Verify(c.Public, unhex(c.Message), c.Signature); got != c.Valid {
			t.Errorf("%s: Verify says %v", c.Name, got)
		}
	}
	for _, a := range v.SmallOrder {
		for _, r := range v.SmallOrder {
			var sig Signature // S = 0
			copy(sig[:], r[:])
			if !Verify(a, []byte(v.SmallMessage), sig) {
				t.Errorf("small order A %v R %v is refused; ZIP-215 accepts it", a, r)
			}
		}
	}
}

func TestKEY01PublicKeyVectors(t *testing.T) {
	for _, c := range readVectors(t).PublicKeys {
		err := c.Public.Check()
		if (err == nil) != c.Usable || (err != nil && !errors.Is(err, ErrKey)) {
			t.Errorf("%s: %v", c.Name, err)
		}
		if got := SingleAuth(c.Public).CheckKeys() == nil; got != c.Usable {
			t.Errorf("%s: CheckKeys accepts: %v", c.Name, got)
		}
	}
}

func TestENC05DomainVectors(t *testing.T) {
	for _, c := range readVectors(t).Domains {
		var items []any
		for _, x := range c.Items {
			var v any
			if err := enc.Decode(unhex(x), &v); err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			items = append(items, v)
		}
		if got := hex.EncodeToString(Dom(c.Domain, items...)); got != c.Bytes {
			t.Errorf("%s: %s", c.Name, got)
		}
		sum := Sum(c.Domain, items...)
		if sum != sha256.Sum256(unhex(c.Bytes)) || hex.EncodeToString(sum[:]) != c.SHA256 {
			t.Errorf("%s: hash %x", c.Name, sum)
		}
	}
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		panic(err)
	}
	return b
}
