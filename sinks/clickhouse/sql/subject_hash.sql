toFixedString(substring(SHA256(concat(outer_pad, SHA256(concat(inner_pad, lapse_column, '\0', lapse_text)))), 1, 16), 16)
