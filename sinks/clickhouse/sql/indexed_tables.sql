SELECT table FROM system.data_skipping_indices WHERE database = {{literal .Telemetry}} AND name = 'lapse_people'
