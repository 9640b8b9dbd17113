#!lua flags=no-writes
-- Reads buckets in order. KEYS: the buckets. ARGV: how many fields at most, one bucket that is not
-- empty at least. Answers how many buckets were read, then their fields and values.

local most, total = tonumber(ARGV[1]), 0
local answer = {#KEYS}
for i, key in ipairs(KEYS) do
  local size = redis.call('HLEN', key)
  if total > 0 and total + size > most then
    answer[1] = i - 1
    break
  end
  if size > 0 then
    total = total + size
    for _, text in ipairs(redis.call('HGETALL', key)) do
      answer[#answer + 1] = text
    end
  end
end
return answer
