// SPDX-License-Identifier: Apache-2.0

package tx

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

func TestEveryPayloadHasAJSONForm(t *testing.T) {
	for _, p := range samples(t) {
		text, err := json.Marshal(p)
		if err != nil {
			t.Errorf("%v: %v", p.Kind(), err)
			continue
		}
		back, err := ParsePayload(p.Kind(), text)
		if err != nil || !reflect.DeepEqual(back, p) {
			t.Errorf("%v: %v\n%s", p.Kind(), err, text)
		}
	}
}

func TestParsePayloadRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		kind Kind
		text string
		code Code
	}{
		{"an unknown kind", 0x0102, `{}`, EncKind},
		{"an unknown field", KindTransfer, `{"too":"x"}`, EncField},
		{"an amount as a number", KindTransfer, `{"amount":5}`, EncField},
		{"an address of another format", KindTransfer, `{"to":"0x00"}`, EncField},
		{"half a text", KindTransfer, `{"amount":"5"`, EncField},
		{"a list", KindTransfer, `[]`, EncField},
		{"two values", KindTransfer, `{"amount":"5"} {}`, EncField},
	} {
		if _, err := ParsePayload(c.kind, []byte(c.text)); !errors.Is(err, c.code) {
			t.Errorf("%s: %v, want %v", c.name, err, c.code)
		}
	}
}
