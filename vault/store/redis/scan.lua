#!lua flags=no-writes
-- Reads buckets in order. KEYS: the hashes of each bucket. ARGV: how many fields at most, one bucket
-- that is not empty at least; how many hashes a bucket has. Answers how many buckets were read, then
-- their fields and values.

local most, total, each = tonumber(ARGV[1]), 0, tonumber(ARGV[2])
local answer = {#KEYS / each}
for first = 1, #KEYS, each do
  local size = 0
  for i = first, first + each - 1 do size = size + redis.call('HLEN', KEYS[i]) end
  if total > 0 and total + size > most then
    answer[1] = (first - 1) / each
    break
  end
  total = total + size
  for i = first, size > 0 and first + each - 1 or 0 do
    for _, text in ipairs(redis.call('HGETALL', KEYS[i])) do
      answer[#answer + 1] = text
    end
  end
end
return answer
