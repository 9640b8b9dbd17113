#!lua flags=no-writes
-- What stands at each place. KEYS: the bucket of each. ARGV: the places.

local answers = {}
for i, key in ipairs(KEYS) do
  answers[i] = redis.call('HGET', key, ARGV[i])
end
return answers
