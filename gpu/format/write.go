// SPDX-License-Identifier: Apache-2.0

package format

import (
	"fmt"
	"unicode/utf8"
)

// AppendText appends s as a JSON string. Only the quote, the backslash and
// control characters are escaped, so equal texts give equal bytes. s must be
// UTF-8; other bytes become U+FFFD.
func AppendText(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ':
			b = fmt.Appendf(b, "\\u%04x", r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
