{{- /* Whether a text is an IPv4 network of more than one address, as ip_prefix writes it. */ -}}
match(lapse_text, '^[0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,2}$') AND toUInt8OrZero(splitByChar('/', lapse_text)[2]) < 32
        AND toString(IPv4CIDRToRange(toIPv4OrDefault(splitByChar('/', lapse_text)[1]), least(toUInt8OrZero(splitByChar('/', lapse_text)[2]), 31)).1) = splitByChar('/', lapse_text)[1]
